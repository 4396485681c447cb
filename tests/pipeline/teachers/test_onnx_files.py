"""An ONNX teacher's digest covers the files beside it that hold its weights."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from pipeline.teachers.load import load_network
from pipeline.teachers.onnx_files import files_of
from student.pose_network import digest_of
from tests.samples.constant_onnx import constant_network, peaks


def digest(path: Path) -> str:
    return load_network(f"onnx:{path}?frame=stride", "cpu").digest


def test_a_single_file_keeps_its_digest_of_version_0_1(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "it.onnx", {"maps": peaks()})
    assert files_of(path) == (path,)
    assert digest(path) == digest_of(path, "ImageNet mean and std", "stride")


def test_weights_beside_the_file_are_part_of_the_digest(tmp_path: Path) -> None:
    paths = []
    for name, height in (("a", 0.9), ("b", 0.8), ("same", 0.9)):
        (tmp_path / name).mkdir()
        outputs = {"maps": peaks(height=height)}
        paths.append(constant_network(tmp_path / name / "it.onnx", outputs, external="it.onnx.data"))
    first, second, same = paths
    assert first.read_bytes() == second.read_bytes()
    assert files_of(first) == (first, first.with_name("it.onnx.data"))
    assert digest(first) != digest(second)
    assert digest(first) == digest(same)
    crops = np.zeros((1, 256, 192, 3), np.uint8)
    np.testing.assert_allclose(load_network(f"onnx:{first}?frame=stride", "cpu")(crops), peaks(), atol=1e-6)


def test_a_missing_file_of_weights_is_named(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "it.onnx", {"maps": peaks()}, external="it.onnx.data")
    (tmp_path / "it.onnx.data").unlink()
    with pytest.raises(FileNotFoundError, match=r"keeps weights in it\.onnx\.data beside it, and .*it\.onnx\.data"):
        load_network(f"onnx:{path}?frame=stride", "cpu")


def external(values: np.ndarray, name: str, location: Path) -> TensorProto:
    """Return a tensor whose values lie in a file, which is written."""
    tensor = numpy_helper.from_array(values, name)
    location.write_bytes(tensor.raw_data)
    set_external_data(tensor, location.name)
    tensor.ClearField("raw_data")
    return tensor


def test_weights_of_constants_of_branches_and_in_several_files_are_found(tmp_path: Path) -> None:
    ones = np.ones((1, 1, 1, 1), np.float32)
    constant = helper.make_node("Constant", [], ["c"], value=external(ones, "c", tmp_path / "constant.bin"))
    branches = []
    for name in ("then", "else"):
        weight = external(ones, f"w_{name}", tmp_path / f"{name}.bin")
        out = helper.make_tensor_value_info(f"out_{name}", TensorProto.FLOAT, [1, 1, 1, 1])
        node = helper.make_node("Identity", [f"w_{name}"], [f"out_{name}"])
        branches.append(helper.make_graph([node], name, [], [out], [weight]))
    choice = helper.make_node("If", ["flag"], ["chosen"], then_branch=branches[0], else_branch=branches[1])
    total = helper.make_node("Sum", ["crops", "chosen", "c", "w"], ["maps"])
    graph = helper.make_graph(
        [constant, choice, total],
        "it",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, [1, 3, 64, 48])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 3, 64, 48])],
        [
            external(ones, "w", tmp_path / "weights.bin"),
            numpy_helper.from_array(np.array(True), "flag"),
        ],
    )
    path = tmp_path / "it.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    names = [file.name for file in files_of(path)]
    assert names == ["it.onnx", "constant.bin", "else.bin", "then.bin", "weights.bin"]


def test_external_data_of_a_real_teacher(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "teachers" / "tinypose_256x192.onnx"
    digests = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model = onnx.load(source)
        if name == "b":
            weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.5, weight.name))
        onnx.save(model, tmp_path / name / "pose.onnx", save_as_external_data=True, location="pose.onnx.data")
        digests.append(digest(tmp_path / name / "pose.onnx"))
    assert digests[0] != digests[1]
    shutil.copy(tmp_path / "a" / "pose.onnx.data", tmp_path / "b" / "pose.onnx.data")
    assert digest(tmp_path / "b" / "pose.onnx") == digests[0]


@pytest.mark.parametrize("location", ["/etc/hostname", "../secret"])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "model").mkdir()
    path = constant_network(tmp_path / "model" / "it.onnx", {"maps": peaks()}, external="it.onnx.data")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    onnx.save(model, path)
    with pytest.raises(ValueError, match="outside its folder: expected files beside it"):
        load_network(f"onnx:{path}?frame=stride", "cpu")
