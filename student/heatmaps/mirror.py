"""Heatmaps of a mirrored crop as those of the crop itself, for the flip test and for flipped views."""

from functools import lru_cache

import torch
from torch import Tensor

from cache_tools.geometry import frame_of


@lru_cache(maxsize=8)
def mirrored_joints(mirror: tuple[int, ...], device: torch.device) -> Tensor:
    """Return a skeleton's mirror order as a tensor (K,) on `device`."""
    return torch.tensor(mirror, device=device)


def shown_joints(flipped: Tensor, joints: int, mirror: tuple[int, ...] | None) -> Tensor:
    """Return the joint (B, K) that each view shows in place of each joint: its mirror's where `flipped` (B,)."""
    unflipped = torch.arange(joints, device=flipped.device)
    if mirror is None:
        return unflipped.expand(len(flipped), joints)
    return torch.where(flipped[:, None], mirrored_joints(mirror, flipped.device), unflipped)


def mirror_maps(maps: Tensor, frame: str, mirror: tuple[int, ...]) -> Tensor:
    """Turn heatmaps (B, K, h, w) of mirrored crops into those of the crops: mirror them, exchange left and right.

    mirror: the joint of the mirrored body for each joint, as Skeleton.mirror has it.
    In the `stride` frame they also move right by one cell (HRNet's rule, its issue 22); in `udp` they do not.
    """
    mirrored = maps[..., mirrored_joints(mirror, maps.device), :, :].flip(-1)
    if frame_of(frame) == "stride":
        mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
    return mirrored
