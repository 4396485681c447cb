"""ONNX files whose outputs are what a test wants, whatever the crop shows."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.samples.gaussian_maps import gaussian_maps


def constant_network(
    path: Path,
    outputs: dict[str, NDArray[np.floating]],
    *,
    shape: tuple[int | str, ...] = ("b", 3, 256, 192),
    dtype: int = TensorProto.FLOAT,
    external: str | None = None,
    gain: float = 0.0,
) -> Path:
    """Write a network that returns each array (1, ...) for every crop of its batch; return its path.

    shape, dtype: of its input. external: name of the file beside it that holds its weights. gain: times the mean of the
    crop's values, which is added.
    """
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["mean4"]),
        helper.make_node("Squeeze", ["mean4", "last"], ["mean3"]),
    ]
    weights = [
        numpy_helper.from_array(np.array([gain], np.float32), "gain"),
        numpy_helper.from_array(np.array([3]), "last"),
    ]
    infos = []
    for name, values in outputs.items():
        element = helper.np_dtype_to_tensor_dtype(values.dtype)
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name}_values"))
        nodes.append(helper.make_node("Add", [f"mean{values.ndim}", f"{name}_values"], [f"{name}_sum"]))
        nodes.append(helper.make_node("Cast", [f"{name}_sum"], [name], to=element))
        infos.append(helper.make_tensor_value_info(name, element, [shape[0], *values.shape[1:]]))
    crops = helper.make_tensor_value_info("crops", dtype, list(shape))
    graph = helper.make_graph(nodes, "constant", [crops], infos, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, save_as_external_data=external is not None, location=external, size_threshold=64)
    return path


def peaks(joints: int = 17, size: tuple[int, int] = (64, 48), height: float = 0.9) -> NDArray[np.float32]:
    """Return heatmaps (1, K, h, w): Gaussians of sigma 2, each joint's at its own place."""
    rng = np.random.default_rng(joints)
    xy = rng.uniform(0.2, 0.8, (1, joints, 2)) * size[::-1]
    return np.asarray(height * gaussian_maps(xy, size, 2.0), np.float32)
