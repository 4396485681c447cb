"""Run a torch network on person crops: the part that students and ViTPose share."""

from collections.abc import Callable

import torch
from torch import Tensor

from student.device import dtype_on
from student.normalise import normalise
from student.pose_network import Crops, Maps


@torch.inference_mode()
def run_network(network: Callable[[Tensor], Tensor], crops: Crops, device: torch.device) -> Maps:
    """Return heatmaps (B, 17, h, w), float32, of crops (B, H, W, 3) by a network on `device`."""
    pixels = normalise(torch.from_numpy(crops).to(device, non_blocking=True))  # (B, 3, H, W)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype_on(device) == "bfloat16"):
        maps = network(pixels)
    return maps.float().cpu().numpy()
