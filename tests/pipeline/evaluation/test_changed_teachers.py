"""PP-TinyPose, exported in other ways: with the options of its reference, AP on ten photos stays what it is."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipeline.evaluation.evaluation import evaluate
from pipeline.teachers.load import load_network
from student.inference import Inference

RIGHT = 0.662
INFERENCE = Inference(flip=False, device="cpu")


def constant(name: str, value: float) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, np.float32), name)


def exported(source: Path, path: Path, how: str) -> Path:
    """Write the network with other outputs; return its path."""
    model = onnx.load(source)
    graph = model.graph
    maps = graph.output[0].name
    nodes = {
        "bytes": [helper.make_node("Mul", [maps, "factor"], ["changed"])],
        # log(p / (1 - p)) of maps within [1e-3, 1 - 1e-3]
        "logits": [
            helper.make_node("Clip", [maps, "low", "high"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Div", ["p", "q"], ["odds"]),
            helper.make_node("Log", ["odds"], ["changed"]),
        ],
        "probabilities": [
            helper.make_node("Relu", [maps], ["positive"]),
            helper.make_node("ReduceSum", ["positive", "axes"], ["sum"], keepdims=1),
            helper.make_node("Div", ["positive", "sum"], ["changed"]),
        ],
        "joints last": [helper.make_node("Transpose", [maps], ["changed"], perm=[0, 2, 3, 1])],
        "half": [helper.make_node("Cast", [maps], ["changed"], to=onnx.TensorProto.FLOAT16)],
    }[how]
    graph.node.extend(nodes)
    graph.initializer.extend(
        [constant(*one) for one in (("factor", 255), ("low", 1e-3), ("high", 1 - 1e-3), ("one", 1))]
    )
    graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    shape: list[str | int | None] = ["b", 64, 48, 17] if how == "joints last" else ["b", 17, 64, 48]
    element = onnx.TensorProto.FLOAT16 if how == "half" else onnx.TensorProto.FLOAT
    graph.output.remove(graph.output[0])
    graph.output.append(helper.make_tensor_value_info("changed", element, shape))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("how", "options", "tolerance"),
    [
        ("bytes", "&scale=1/255", 1e-6),
        ("logits", "&activation=sigmoid", 5e-3),
        ("joints last", "", 1e-6),
        ("half", "", 5e-3),
        # peaks of unsure joints are lower than before, against those of sure ones: scores, and so AP, differ
        ("probabilities", "&scale=gaussian", 0.03),
    ],
)
def test_options_bring_back_the_same_ap(
    shared_data: Path, shared_cases: Path, tmp_path: Path, how: str, options: str, tolerance: float
) -> None:
    path = exported(shared_data / "teachers" / "tinypose_256x192.onnx", tmp_path / "pose.onnx", how)
    network = load_network(f"onnx:{path}?frame=stride{options}", "cpu", probed=True)
    base = shared_cases / "base"
    found = evaluate(network, base / "val.json", base / "img", inference=INFERENCE).metrics.AP
    assert found == pytest.approx(RIGHT, abs=tolerance + 5e-4)
    if options:
        plain = load_network(f"onnx:{path}?frame=stride", "cpu", probed=True)
        with pytest.raises(ValueError, match=options[1 : options.index("=")]):
            evaluate(plain, base / "val.json", base / "img", inference=INFERENCE)
