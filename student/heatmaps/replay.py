"""A cached heatmap in the student's view, by geometry only: the teacher does not run again.

`warp` moves the whole map with the image: a peak grows and shrinks with the zoom, which a live teacher's does not.
`peaks` moves the window around each joint's highest peak to where `warp` puts that peak, turned and mirrored, but not
zoomed. `kdcache fidelity` measures both against the live teacher. Moving second and third peaks as well gained nothing;
showing the whole map around its highest peak gained 1 % of the RMSE for twice the time.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from student.heatmaps.decode import find_peaks
from student.heatmaps.mirror import shown_joints
from student.heatmaps.sampling import sampling_grid

ReplayMode = Literal["peaks", "warp"]
# half the side of a window
WINDOW_SIGMAS = 4.0


def replay_maps(
    maps: Tensor,
    student_to_teacher: Tensor,
    flipped: Tensor,
    out_size: tuple[int, int],
    mode: ReplayMode = "peaks",
    *,
    mirror: tuple[int, ...] | None,
    teacher_sigma: float = 2.0,
    student_sigma: float = 2.0,
) -> Tensor:
    """Return a teacher's maps (B, K, h, w) in the student's view: (B, K, *out_size), 0 outside the teacher's map.

    student_to_teacher (B, 2, 3): student cell -> student crop -> image -> teacher crop -> teacher cell, composed.
    flipped (B,) bool: the view is mirrored, and left and right joints change places by the order `mirror`,
    without which (None) no view may be mirrored. teacher_sigma, student_sigma:
    standard deviation of a peak in cells of either map; `peaks` draws the student's at every zoom.
    Raises ValueError for an unknown mode.
    """
    if mode not in get_args(ReplayMode):
        raise ValueError(f"unknown replay {mode!r}: expected one of {', '.join(get_args(ReplayMode))}")
    matrix, (height, width) = student_to_teacher.float(), maps.shape[2:]
    shown = _shown_maps(flipped, maps.shape[1], mirror)
    if mode == "peaks":
        return _move_windows(maps, matrix, shown, out_size, teacher_sigma / student_sigma, student_sigma)
    grid = sampling_grid(matrix, (height, width), out_size)
    moved = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return moved.flatten(0, 1)[shown.flatten()].view(moved.shape)


def nearest_rotation(linear: Tensor) -> Tensor:
    """Return the rotation, mirrored or not, nearest to each matrix (B, 2, 2): the orthogonal factor of its polar form.

    Higham, "Computing the polar decomposition, with applications", 1986; in two dimensions it has a closed form.
    """
    (a, b), (c, d) = (row.unbind(-1) for row in linear.unbind(-2))
    sign = torch.where(a * d < b * c, -1.0, 1.0)
    cos, sin = a + sign * d, c - sign * b
    length = torch.hypot(cos, sin)
    cos, sin = cos / length, sin / length
    return torch.stack([cos, -sign * sin, sin, sign * cos], dim=-1).view(linear.shape)


def _shown_maps(flipped: Tensor, joints: int, mirror: tuple[int, ...] | None) -> Tensor:
    """Return the index (B, K) into maps (B * K, h, w) of the map that joint k of view b shows: its mirror's if flipped.

    As a permutation it is its own inverse.
    """
    joint = shown_joints(flipped, joints, mirror)
    return joint + joints * torch.arange(len(flipped), device=flipped.device)[:, None]


def _move_windows(
    maps: Tensor, matrix: Tensor, shown: Tensor, out_size: tuple[int, int], ratio: float, student_sigma: float
) -> Tensor:
    """Draw the map around each joint's highest peak, turned but not zoomed, as a window on an empty map.

    ratio: teacher cells per student cell. Of a peak outside the view, a window at the edge shows what is in view.
    """
    (batch, count, height, width), (out_height, out_width) = maps.shape, out_size
    margin = math.ceil(WINDOW_SIGMAS * student_sigma)
    side = 2 * margin + 1
    # the empty map has a margin on every side, where windows at the edge end
    pitch = out_width + 2 * margin
    xy_teacher = find_peaks(maps)
    xy_student = _inverse_apply(matrix, xy_teacher)  # (B, K, 2)
    x, y = xy_student.round().unbind(-1)
    # of the window, in the map with its margin
    corner = torch.stack([x.clamp(0, out_width - 1), y.clamp(0, out_height - 1)], dim=-1)
    turn = ratio * nearest_rotation(matrix[:, :, :2])
    # the teacher's cell at that corner
    start = xy_teacher + (corner - margin - xy_student) @ turn.mT
    window_to_teacher = torch.cat([turn[:, None].expand(batch, count, 2, 2), start[..., None]], dim=-1).flatten(0, 1)
    grid = sampling_grid(window_to_teacher, (height, width), (side, side))
    values = functional.grid_sample(
        maps.reshape(-1, 1, height, width), grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    moved = maps.new_zeros(batch * count, out_height + 2 * margin, pitch)
    steps = torch.arange(side, device=maps.device)
    # `shown` is its own inverse: it also gives the view's joint that a teacher's joint becomes
    first = shown * moved[0].numel() + (corner[..., 1] * pitch + corner[..., 0]).long()
    cells = first.view(-1, 1, 1) + steps[:, None] * pitch + steps
    moved.view(-1).scatter_(0, cells.flatten(), values.flatten())
    return moved.view(batch, count, -1, pitch)[..., margin:-margin, margin:-margin].contiguous()


def _inverse_apply(matrix: Tensor, xy: Tensor) -> Tensor:
    """Return the points (B, K, 2) that matrices (B, 2, 3) move to `xy`; torch.linalg would wait for the device."""
    (a, b, left), (c, d, up) = (row[..., None].unbind(-2) for row in matrix.unbind(-2))  # (B, 1) each
    x, y = xy[..., 0] - left, xy[..., 1] - up
    return torch.stack([d * x - b * y, a * y - c * x], dim=-1) / (a * d - b * c)[..., None]
