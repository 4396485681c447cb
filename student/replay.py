"""A cached heatmap in the student's own view, by geometry alone: the teacher is not asked again.

`warp` moves the whole map with the image, so a peak grows and shrinks with the zoom; a live teacher's does not.
`peaks` puts each joint's highest peak where `warp` does, and turns and mirrors the map about it, but does not zoom it.
`kdcache fidelity` measures both against the live teacher. Windows around two or three peaks, each moved by itself, came
no nearer to it than the whole map moved with its highest peak, and cost more.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from student.heatmaps import find_peaks, joint_mirror
from student.warp import sampling_grid

Mode = Literal["peaks", "warp"]


def replay(
    maps: Tensor,
    student_to_teacher: Tensor,
    flipped: Tensor,
    out_size: tuple[int, int],
    mode: Mode = "peaks",
    *,
    teacher_sigma: float = 2.0,
    student_sigma: float = 2.0,
) -> Tensor:
    """A teacher's maps (B, K, h, w) in the student's view: (B, K, *out_size), 0 where the teacher saw nothing.

    student_to_teacher (B, 2, 3): student cell -> student crop -> image -> teacher crop -> teacher cell, composed.
    flipped (B,) bool: the view is mirrored, so left and right joints change places.
    teacher_sigma, student_sigma: width of a peak in cells of either map; `peaks` draws the student width at every zoom.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"unknown replay {mode!r}: expected one of {', '.join(get_args(Mode))}")
    maps = _joints_of_view(maps, flipped)
    matrix = student_to_teacher.float()
    if mode == "warp":
        return _sample(maps, matrix, out_size)
    about_peak = peak_matrices(find_peaks(maps), matrix, teacher_sigma / student_sigma)  # (B, K, 2, 3)
    moved = _sample(
        maps.flatten(0, 1)[:, None], about_peak.flatten(0, 1), out_size
    )  # every joint is a batch of its own
    return moved.view(*maps.shape[:2], *out_size)


def peak_matrices(xy_teacher: Tensor, student_to_teacher: Tensor, ratio: float = 1.0) -> Tensor:
    """Matrices (B, K, 2, 3) that agree with `student_to_teacher` (B, 2, 3) at each peak (B, K, 2), but do not zoom.

    ratio: teacher cells per student cell around the peak.
    """
    linear, shift = student_to_teacher[:, :, :2], student_to_teacher[:, :, 2:]
    xy_student = torch.linalg.solve_ex(linear, xy_teacher.mT - shift)[0].mT  # (B, K, 2)
    turn = ratio * nearest_rotation(linear)  # (B, 2, 2)
    return torch.cat(
        [turn[:, None].expand(*xy_teacher.shape, 2), (xy_teacher - xy_student @ turn.mT)[..., None]], dim=-1
    )


def nearest_rotation(linear: Tensor) -> Tensor:
    """The rotation, mirrored or not, nearest to each matrix (B, 2, 2): the orthogonal factor of its polar form."""
    (a, b), (c, d) = (row.unbind(-1) for row in linear.unbind(-2))
    sign = torch.where(a * d < b * c, -1.0, 1.0)
    cos, sin = a + sign * d, c - sign * b
    length = torch.hypot(cos, sin)
    cos, sin = cos / length, sin / length
    return torch.stack([cos, -sign * sin, sin, sign * cos], dim=-1).unflatten(-1, (2, 2))


def _joints_of_view(maps: Tensor, flipped: Tensor) -> Tensor:
    """maps (B, K, h, w) with left and right joints exchanged in flipped rows (B,)."""
    straight = torch.arange(maps.shape[1], device=maps.device)
    joints = torch.where(flipped[:, None], joint_mirror(maps.device), straight)  # (B, K)
    return maps[torch.arange(len(maps), device=maps.device)[:, None], joints]


def _sample(maps: Tensor, matrix: Tensor, out_size: tuple[int, int]) -> Tensor:
    grid = sampling_grid(matrix, (maps.shape[2], maps.shape[3]), out_size)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
