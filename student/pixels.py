"""Crops -> network input, on the device that the crops are on."""

import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(crops: Tensor) -> Tensor:
    """RGB crops (B, H, W, 3) in [0, 255], any dtype -> float32 (B, 3, H, W), channels_last, as ImageNet networks want.

    uint8 crops cross the bus at a quarter of the size; call this on the device.
    """
    mean = torch.tensor(IMAGENET_MEAN, device=crops.device).view(3, 1, 1) * 255
    std = torch.tensor(IMAGENET_STD, device=crops.device).view(3, 1, 1) * 255
    return (crops.permute(0, 3, 1, 2).float() - mean) / std
