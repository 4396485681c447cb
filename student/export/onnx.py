"""A student as one ONNX file: uint8 crops in, heatmaps out, its geometry in the metadata."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cache_tools.files import replacing
from cache_tools.geometry import PADDING
from cache_tools.skeletons import Skeleton
from student.export.onnx_session import INPUT, OUTPUT, run_onnx
from student.models.network_mode import evaluation_mode
from student.models.student import PoseStudent
from student.normalise import normalise
from student.pose_network import Crops
from student.settings import STUDENT_FRAME, ModelSettings

OPSET = 20
# largest difference from torch, in heatmap values: peaks are about 1
PARITY = 1e-3


class CropsToHeatmaps(nn.Module):
    """uint8 RGB crops (B, H, W, 3) -> float32 heatmaps (B, 17, H/4, W/4): normalisation is part of the graph."""

    def __init__(self, student: PoseStudent) -> None:
        super().__init__()
        self.student = student

    def forward(self, crops: Tensor) -> Tensor:
        """Return the heatmaps of crops."""
        heatmaps: Tensor = self.student(normalise(crops))
        return heatmaps


def export_onnx(student: PoseStudent, settings: ModelSettings, path: str | Path, crops: Crops, name: str) -> float:
    """Write `student` (on the CPU) to `path` and return its largest difference from torch on `crops` (B, H, W, 3).

    The file takes any batch size. Raises ValueError, and writes no file, where the difference is above PARITY.
    """
    network = CropsToHeatmaps(student)
    example = torch.zeros(2, *settings.input_size, 3, dtype=torch.uint8)
    with evaluation_mode(network), torch.no_grad(), replacing(path) as temporary:
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"crops": {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props.update(_metadata(settings, name, student.skeleton))
        program.save(temporary, external_data=False)
        difference = float(np.abs(run_onnx(temporary, crops) - network(torch.from_numpy(crops)).numpy()).max())
        # `not <=` refuses NaN as well
        if not difference <= PARITY:
            raise ValueError(
                f"the ONNX file of {name} differs from torch by {difference:.2g} on {len(crops)} crops, more than "
                f"{PARITY:g}: it was not written"
            )
    return difference


def _metadata(settings: ModelSettings, name: str, skeleton: Skeleton) -> dict[str, str]:
    """Return what a user of the file must know, as strings: the place of cells in the crop, sizes, keypoints."""
    height, width = settings.input_size
    return {
        "name": name,
        "backbone": settings.backbone,
        "frame": STUDENT_FRAME,
        "input": "uint8 RGB crop, (batch, height, width, 3); normalised inside",
        "input_size": f"{height}x{width}",
        "heatmap_size": f"{settings.heatmap_size[0]}x{settings.heatmap_size[1]}",
        "sigma": f"{settings.sigma:g}",
        "padding": f"{PADDING:g}",
        "keypoints": json.dumps(skeleton.names),
        "skeleton": json.dumps(skeleton.to_json()),
    }
