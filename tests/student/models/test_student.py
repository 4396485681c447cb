"""Students: shapes, first predictions, and that both heads learn."""

from typing import Literal

import pytest
import torch
from pydantic import ValidationError

from cache_tools.skeletons import COCO
from student.models.student import create_student, untrained_settings
from student.settings import DistillSettings, ModelSettings
from student.training.losses import distillation_loss

NARROW = ModelSettings(
    backbone="timm:resnet10t",
    backbone_options={"channels": [16, 32, 64, 128], "stem_width": 16},
    weights="none",
    input_size=(128, 96),
    heatmap_size=(32, 24),
)
Head = Literal["subpixel", "lateral"]


@pytest.mark.parametrize("head", ["subpixel", "lateral"])
@pytest.mark.parametrize("backbone", ["shufflenet_0.5", "timm:mobilenetv3_small_050"])
def test_heatmaps_have_stride_4_and_start_near_zero(head: Head, backbone: str) -> None:
    torch.manual_seed(0)
    student = create_student(ModelSettings(backbone=backbone, head=head, weights="none"), COCO)
    maps = student(torch.randn(2, 3, 128, 96))
    assert maps.shape == (2, 17, 32, 24)
    # almost every cell of a target is 0
    assert maps.abs().max() < 0.1
    maps.sum().backward()
    assert all(p.grad is not None for p in student.parameters())


@pytest.mark.parametrize("head", ["subpixel", "lateral"])
def test_both_heads_overfit_one_batch(head: Head) -> None:
    torch.manual_seed(0)
    student = create_student(NARROW.model_copy(update={"head": head}), COCO)
    images = torch.randn(4, 3, 64, 64)
    rows, columns = torch.arange(16.0)[:, None], torch.arange(16.0)
    centre = 15 * torch.rand(4, 17, 2)
    distance = (columns - centre[..., 0, None, None]) ** 2 + (rows - centre[..., 1, None, None]) ** 2
    target = torch.exp(-distance / (2 * 1.5**2))
    optimizer = torch.optim.AdamW(student.parameters(), lr=8e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = distillation_loss(student(images), target, torch.ones(4, 17), None, DistillSettings(), 0)
        loss.backward()
        optimizer.step()
    largest = student(images).detach().flatten(2).argmax(2)
    error = (largest % 16 - centre[..., 0]).abs().maximum((largest // 16 - centre[..., 1]).abs())
    assert float((error < 1.5).float().mean()) > 0.9


def test_input_size_must_be_a_multiple_of_32() -> None:
    with pytest.raises(ValueError, match="input_size is 100x96: both sides must be multiples of 32"):
        create_student(NARROW.model_copy(update={"input_size": (100, 96)}), COCO)


def test_weights_are_skipped_for_a_checkpoint() -> None:
    create_student(NARROW.model_copy(update={"weights": "/there/is/no/such/file"}), COCO, pretrained=False)


def test_untrained_settings_have_no_weights_and_stride_4() -> None:
    settings = untrained_settings("shufflenet_0.5", "lateral", (128, 96))
    assert (settings.weights, settings.head, settings.heatmap_size) == ("none", "lateral", (32, 24))
    with pytest.raises(ValidationError, match="head"):
        untrained_settings("shufflenet_0.5", "vertical")
