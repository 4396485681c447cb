"""An exported student with its weights in float16: half the size, the same arithmetic."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: numbers: smaller weights stay in float32, because they save nothing
SMALLEST = 4096


def with_half_weights(source: str | Path) -> onnx.ModelProto:
    """Return the model of an ONNX file with large float32 weights in float16, and a Cast after each.

    Weights beyond float16's range, which would be infinite in it, stay as they are.
    A runtime folds the casts when it loads the model, and computes in float32.
    """
    model = onnx.load(source)
    weights, casts = [], []
    for weight in model.graph.initializer:
        if not _fits(weight):
            weights.append(weight)
            continue
        name = f"{weight.name}.half"
        weights.append(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(weights)
    model.graph.node.extend(nodes)
    return model


def _fits(weight: onnx.TensorProto) -> bool:
    """Return whether a weight is float32, large enough to save something, and within the range of float16."""
    if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST:
        return False
    return bool(np.abs(numpy_helper.to_array(weight)).max() <= np.finfo(np.float16).max)
