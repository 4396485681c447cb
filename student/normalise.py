"""Crops -> network input, on the device that holds the crops."""

from functools import lru_cache

import torch
from torch import Tensor

# RGB, in [0, 1]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(crops: Tensor) -> Tensor:
    """Normalise RGB crops (B, H, W, 3) in [0, 255], any dtype, to float32 (B, 3, H, W), channels_last, as for ImageNet.

    Call it on the device: uint8 crops are copied there at a quarter of the size.
    """
    constants = _constants_on_gpu if crops.is_cuda else _constants
    mean, std = constants(crops.shape[2], crops.device)
    # whole rows of pixels at a time, in place: 2.5 times as fast on a CPU as three channels at a time
    rows = crops.to(torch.float32, copy=True, memory_format=torch.contiguous_format).flatten(2)  # (B, H, 3 W)
    return rows.sub_(mean).div_(std).view(crops.shape).permute(0, 3, 1, 2)


def normalise_each(crops: Tensor) -> Tensor:
    """Return `normalise` of crops, bit for bit; on a CPU one crop at a time, which stays in the cache meanwhile.

    Not to be traced or exported.
    """
    if crops.device.type != "cpu":
        return normalise(crops)
    mean, std = _constants(crops.shape[2], crops.device)
    images = torch.empty(crops.shape)
    for crop, image in zip(crops, images, strict=True):
        image.copy_(crop)
        image.flatten(1).sub_(mean).div_(std)
    return images.permute(0, 3, 1, 2)


def _constants(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (3 width,) of a row of pixels in 0..255."""
    mean, std = ((255 * torch.tensor(rgb)).repeat(width).to(device) for rgb in (IMAGENET_MEAN, IMAGENET_STD))
    return mean, std


@lru_cache(maxsize=32)
def _constants_on_gpu(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return `_constants`, copied to the GPU once: each copy waits for all work that it has in its queue."""
    return _constants(width, device)
