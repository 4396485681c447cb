"""An exported network with some of its heatmaps, in another order and under other names."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from cache_tools.skeletons import skeleton_of_category


def with_other_joints(source: Path, path: Path, joints: list[int], names: list[str]) -> Path:
    """Write to `path` the network of `source` with the heatmaps `joints`, called `names`; return the path."""
    model = onnx.load(source)
    output = model.graph.output[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array(joints), "joints"))
    model.graph.node.append(helper.make_node("Gather", [output.name, "joints"], ["chosen"], axis=1))
    output.name = "chosen"
    output.type.tensor_type.shape.dim[1].dim_value = len(joints)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    skeleton = skeleton_of_category({"keypoints": names})
    assert skeleton is not None
    metadata |= {"keypoints": json.dumps(names), "skeleton": json.dumps(skeleton.to_json())}
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
