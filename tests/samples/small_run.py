"""A run's folder with a small student that was never trained, but whose heatmaps are not empty."""

from pathlib import Path

import torch
from torch import nn

from cache_tools.skeletons import COCO
from student.checkpoint import save_weights
from student.models.student import PoseStudent, create_student
from student.run_record import RunRecord, write_record
from student.settings import ModelSettings, StudentSettings

SMALL = ModelSettings(
    backbone="timm:resnet10t",
    backbone_options={"channels": [8, 16, 24, 32], "stem_width": 8},
    head="lateral",
    head_channels=16,
    weights="none",
    input_size=(128, 96),
    heatmap_size=(32, 24),
)


def lively_student(settings: ModelSettings = SMALL) -> PoseStudent:
    """Return a student in evaluation mode with heatmaps of deviation about 0.2 and batch norms that do something."""
    torch.manual_seed(0)
    student = create_student(settings, COCO, pretrained=False)
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
    with torch.no_grad():
        for _ in range(20):  # running statistics of what the layers see
            student(torch.randn(4, 3, *settings.input_size))
    assert isinstance(student.head.heatmaps, nn.Conv2d)
    nn.init.normal_(student.head.heatmaps.weight, std=0.06)
    return student.eval()


def write_run(folder: Path, name: str = "small") -> PoseStudent:
    """Write the run and return its student."""
    student = lively_student()
    settings = StudentSettings(name=name, model=SMALL)
    write_record(folder, RunRecord(name=name, finished=True, settings=settings))
    save_weights(folder / "best.safetensors", student)
    return student
