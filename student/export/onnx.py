"""A student as one ONNX file: uint8 crops in, heatmaps out, its geometry in the metadata."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cache_tools.coco import KEYPOINTS
from student.models.flops import evaluation
from student.models.student import PoseStudent
from student.normalise import normalise
from student.settings import ModelSettings

INPUT, OUTPUT = "crops", "heatmaps"
OPSET = 20
PARITY = 1e-3  # largest difference from torch, in heatmap values: peaks are about 1
Crops = NDArray[np.uint8]


class CropsToHeatmaps(nn.Module):
    """uint8 RGB crops (B, H, W, 3) -> float32 heatmaps (B, 17, H/4, W/4): normalisation is part of the graph."""

    def __init__(self, student: PoseStudent) -> None:
        super().__init__()
        self.student = student

    def forward(self, crops: Tensor) -> Tensor:
        return self.student(normalise(crops))


def export_onnx(student: PoseStudent, settings: ModelSettings, path: str | Path, crops: Crops, name: str) -> float:
    """Write `student` (on the CPU) to `path` and return its largest difference from torch on `crops` (B, H, W, 3).

    Any batch size goes in. Raises ValueError, and leaves no file, where the difference is above PARITY.
    """
    network = CropsToHeatmaps(student)
    example = torch.zeros(2, *settings.input_size, 3, dtype=torch.uint8)
    with evaluation(network), torch.no_grad(), temporary_beside(path) as temporary:
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
        program.model.metadata_props.update(metadata(settings, name))
        program.save(temporary, external_data=False)
        difference = float(np.abs(run_onnx(temporary, crops) - network(torch.from_numpy(crops)).numpy()).max())
        if not difference <= PARITY:
            raise ValueError(
                f"the ONNX file of {name} differs from torch by {difference:.2g} on {len(crops)} crops, more than "
                f"{PARITY:g}: it was not written"
            )
    return difference


def metadata(settings: ModelSettings, name: str) -> dict[str, str]:
    """What a user of the file must know, as strings: where cells lie in the crop, sizes, keypoints."""
    height, width = settings.input_size
    return {
        "name": name,
        "backbone": settings.backbone,
        "frame": "udp",  # the outermost heatmap cells are the outermost crop pixels
        "input": "uint8 RGB crop, (batch, height, width, 3); normalised inside",
        "input_size": f"{height}x{width}",
        "heatmap_size": f"{settings.heatmap_size[0]}x{settings.heatmap_size[1]}",
        "sigma": f"{settings.sigma:g}",
        "padding": "1.25",
        "keypoints": json.dumps(KEYPOINTS),
    }


def run_onnx(path: str | Path, crops: Crops) -> NDArray[np.float32]:
    """Heatmaps (B, 17, h, w) of crops by onnxruntime on the CPU."""
    return np.asarray(cpu_session(path).run([OUTPUT], {INPUT: crops})[0], np.float32)


def cpu_session(path: str | Path, threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU with as many threads as torch has, unless told."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def temporary_beside(path: str | Path) -> Iterator[Path]:
    """A name in the folder of `path`; what is written there becomes `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
