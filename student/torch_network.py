"""A torch network on crops: the part that ViTPose and students share as teachers."""

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.teachers import Crops, Maps
from student.normalise import normalise


def pick_device(name: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` means; ValueError where CUDA is asked for and is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch {torch.__version__} finds no CUDA device: use cpu")
    return device


def dtype_on(device: torch.device) -> str:
    """The precision that `run_network` computes in: bfloat16 on CUDA, where it is several times as fast."""
    return "bfloat16" if device.type == "cuda" else "float32"


@torch.inference_mode()
def run_network(network: Callable[[Tensor], Tensor], crops: Crops, device: torch.device) -> Maps:
    """Heatmaps float32 (B, 17, h, w) of crops (B, H, W, 3)."""
    pixels = normalise(torch.from_numpy(crops).to(device, non_blocking=True))  # (B, 3, H, W)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype_on(device) == "bfloat16"):
        maps = network(pixels)
    return maps.float().cpu().numpy()
