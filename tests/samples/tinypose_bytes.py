"""PP-TinyPose as an ONNX file like those of `kdcache export`: uint8 crops in, its geometry in the metadata."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from cache_tools.skeletons import COCO
from pipeline.teachers.onnx_file import MEAN, STD

METADATA = {
    "name": "PP-TinyPose",
    "frame": "stride",
    "input_size": "256x192",
    "heatmap_size": "64x48",
    "sigma": "2",
    "padding": "1.25",
    "keypoints": json.dumps(COCO.names),
    "skeleton": json.dumps(COCO.to_json()),
}


def write_tinypose(source: Path, path: Path) -> None:
    """Write the network of `source`, which takes normalised floats, with its normalisation in the graph."""
    network = onnx.load(source)
    joined = compose.merge_models(_normalisation(), network, io_map=[("image_", network.graph.input[0].name)])
    heatmaps = joined.graph.output[0].name
    joined.graph.node.append(helper.make_node("Identity", [heatmaps], ["heatmaps"]))
    del joined.graph.output[:]
    joined.graph.output.append(helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["batch", 17, 64, 48]))
    helper.set_model_props(joined, METADATA)
    onnx.checker.check_model(joined)
    onnx.save(joined, path)


def _normalisation() -> onnx.ModelProto:
    constants = {"scale": 1 / (255 * STD), "shift": MEAN / STD}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["float", "scale"], ["scaled"]),
            helper.make_node("Sub", ["scaled", "shift"], ["normalised"]),
            helper.make_node("Transpose", ["normalised"], ["image_"], perm=[0, 3, 1, 2]),
        ],
        "normalisation",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["batch", 256, 192, 3])],
        [helper.make_tensor_value_info("image_", TensorProto.FLOAT, ["batch", 3, 256, 192])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
