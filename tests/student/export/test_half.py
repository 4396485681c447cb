"""Weights in float16: which are stored so, and which would lose their value."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from student.export.half import SMALLEST, with_half_weights


def test_small_weights_and_those_beyond_float16_stay(tmp_path: Path) -> None:
    large, wide = np.full(SMALLEST, 0.5, np.float32), np.full(SMALLEST, 0.5, np.float32)
    wide[7] = 1e5
    weights = {"large": large, "wide": wide, "small": large[:-1]}
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in weights],
        "weights",
        [],
        [
            helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, value.shape)
            for name, value in weights.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    model = with_half_weights(tmp_path / "a.onnx")
    stored = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    assert stored["large.half"].dtype == np.float16
    np.testing.assert_array_equal(stored["wide"], wide)
    np.testing.assert_array_equal(stored["small"], weights["small"])
    assert len(stored) == 3
    onnx.checker.check_model(model)
