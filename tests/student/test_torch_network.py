"""Torch networks on their device: the same heatmaps, whichever way crops and weights get there."""

import numpy as np
import pytest
import torch
from torch import nn

from cache_tools.skeletons import COCO, Skeleton
from student.models.student import create_student
from student.pose_network import Crops, Maps
from student.prediction import predict_heatmaps, predict_maps
from student.settings import ModelSettings
from student.torch_network import OnDevice, for_inference, maps_of, products_in_bfloat16, run_network, run_on_device

CPU = torch.device("cpu")
SMALL = {
    "backbone": "timm:resnet10t", "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "head": "lateral", "head_channels": 16, "weights": "none", "input_size": (64, 64),
}  # fmt: skip


class InNumpy:
    """A network that takes and returns arrays only."""

    name, digest, licence, frame, sigma = "numpy", "0" * 64, "none", "udp", 2.0
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size = (64, 64), (16, 16)

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, 17, 16, 16)."""
        return run_network(self.network, crops, CPU)


class InTorch(InNumpy):
    """The same network, which can leave its heatmaps on the device."""

    device = CPU

    def maps_on_device(self, crops: torch.Tensor) -> torch.Tensor:
        """Return heatmaps (B, 17, 16, 16)."""
        return run_on_device(self.network, crops, self.device)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return a student with random weights, whose normalisation layers are not the identity."""
    torch.manual_seed(0)
    student = create_student(ModelSettings.model_validate(SMALL), COCO)
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.bias, 0, 0.2)
    return for_inference(student, CPU)


@pytest.fixture(scope="module")
def crops() -> Crops:
    """Return three crops of noise."""
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("flip", [False, True])
def test_heatmaps_that_stay_on_the_device_are_those_of_arrays(network: nn.Module, crops: Crops, flip: bool) -> None:
    in_numpy, in_torch = InNumpy(network), InTorch(network)
    assert [isinstance(one, OnDevice) for one in (in_numpy, in_torch)] == [False, True]
    expected = predict_heatmaps(in_numpy, crops, flip=flip)
    assert np.array_equal(expected, predict_maps(in_torch, crops, flip=flip).numpy())
    assert torch.equal(maps_of(in_numpy, torch.from_numpy(crops)), maps_of(in_torch, crops))


def test_heatmaps_on_the_device_have_the_shape_that_is_stated(network: nn.Module, crops: Crops) -> None:
    wrong = InTorch(network)
    wrong.heatmap_size = (32, 16)
    with pytest.raises(ValueError, match=r"shape \(3, 17, 16, 16\) for 3 crops: expected \(3, 17, 32, 16\)"):
        maps_of(wrong, crops)


def test_weights_in_bfloat16_give_the_numbers_of_autocast(crops: Crops) -> None:
    student = create_student(ModelSettings.model_validate(SMALL), COCO).eval()
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2) / 255
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = student(pixels)
        products_in_bfloat16(student)
        found = student(pixels)
    assert torch.equal(found, expected)
    kinds = {layer.weight.dtype for layer in student.modules() if isinstance(layer, nn.BatchNorm2d)}
    assert kinds == {torch.float32}


def test_heatmaps_can_be_part_of_a_loss(network: nn.Module, crops: Crops) -> None:
    prediction = torch.zeros(3, 17, 16, 16, requires_grad=True)
    target = maps_of(InTorch(network), crops)
    (prediction * target).sum().backward()
    assert prediction.grad is not None
    assert torch.equal(prediction.grad, target)
