"""Heatmaps of a mirrored crop as those of the crop itself, for the flip test and for flipped views."""

from functools import lru_cache

import torch
from torch import Tensor

from cache_tools.coco import MIRROR
from cache_tools.geometry import frame_of


@lru_cache(maxsize=8)
def mirrored_joints(device: torch.device) -> Tensor:
    """Return the joint (17,) that each joint becomes when the person is mirrored."""
    return torch.tensor(MIRROR, device=device)


def mirror_maps(maps: Tensor, frame: str) -> Tensor:
    """Turn heatmaps (B, 17, h, w) of mirrored crops into those of the crops: mirror them, exchange left and right.

    In the `stride` frame they also move right by one cell (HRNet's rule, its issue 22); in `udp` they do not.
    """
    mirrored = maps[..., mirrored_joints(maps.device), :, :].flip(-1)
    if frame_of(frame) == "stride":
        mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
    return mirrored
