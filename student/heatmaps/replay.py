"""A cached heatmap in the student's own view, by geometry alone: the teacher is not asked again.

`warp` moves the whole map with the image, so a peak grows and shrinks with the zoom; a live teacher's does not.
`peaks` shows the window around each joint's highest peak where `warp` puts that peak, turned and mirrored, not zoomed.
`kdcache fidelity` measures both against the live teacher. To move second and third peaks as well brought nothing, the
whole map with its highest peak 1 % of the RMSE for twice the time.
"""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from student.heatmaps.decode import find_peaks
from student.heatmaps.mirror import mirrored_joints
from student.heatmaps.sampling import sampling_grid

Mode = Literal["peaks", "warp"]
WINDOW_SIGMAS = 4.0  # half the side of a window


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
    matrix, (height, width) = student_to_teacher.float(), maps.shape[2:]
    joints = _joints_of_view(flipped, maps.shape[1])
    if mode == "peaks":
        return _move_windows(maps, matrix, joints, out_size, teacher_sigma / student_sigma, student_sigma)
    grid = sampling_grid(matrix, (height, width), out_size)
    moved = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return moved.flatten(0, 1)[joints.flatten()].view(moved.shape)


def _joints_of_view(flipped: Tensor, joints: int) -> Tensor:
    """Of joint k of view b, the place (B, K) in maps (B * K, h, w) of the map it shows: its mirror's where flipped."""
    own = torch.arange(joints, device=flipped.device)
    shown = torch.where(flipped[:, None], mirrored_joints(flipped.device), own)
    return shown + joints * torch.arange(len(flipped), device=flipped.device)[:, None]


def _move_windows(
    maps: Tensor, matrix: Tensor, joints: Tensor, out_size: tuple[int, int], ratio: float, student_sigma: float
) -> Tensor:
    """Around each joint's highest peak the map, turned but not zoomed, in windows on an empty map.

    ratio: teacher cells per student cell. A peak outside the view shows what of its flank lies in a window at the edge.
    """
    (batch, count, height, width), (out_height, out_width) = maps.shape, out_size
    reach = math.ceil(WINDOW_SIGMAS * student_sigma)
    side, pitch = 2 * reach + 1, out_width + 2 * reach  # the empty map has a margin of `reach`
    xy_teacher = find_peaks(maps)
    xy_student = _before(matrix, xy_teacher)  # (B, K, 2)
    x, y = xy_student.round().unbind(-1)
    corner = torch.stack([x.clamp(0, out_width - 1), y.clamp(0, out_height - 1)], dim=-1)  # in the map with its margin
    turn = ratio * nearest_rotation(matrix[:, :, :2])
    start = xy_teacher + (corner - reach - xy_student) @ turn.mT  # teacher's cell at that corner
    windows = torch.cat([turn[:, None].expand(batch, count, 2, 2), start[..., None]], dim=-1).flatten(0, 1)
    grid = sampling_grid(windows, (height, width), (side, side))
    values = F.grid_sample(
        maps.reshape(-1, 1, height, width), grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    moved = maps.new_zeros(batch * count, out_height + 2 * reach, pitch)
    steps = torch.arange(side, device=maps.device)
    # `joints` is its own inverse, so it also says which of the view's joints a teacher's joint is
    first = joints * moved[0].numel() + (corner[..., 1] * pitch + corner[..., 0]).long()
    cells = first.view(-1, 1, 1) + steps[:, None] * pitch + steps
    moved.view(-1).scatter_(0, cells.flatten(), values.flatten())
    return moved.view(batch, count, -1, pitch)[..., reach:-reach, reach:-reach].contiguous()


def _before(matrix: Tensor, xy: Tensor) -> Tensor:
    """The points (B, K, 2) that matrices (B, 2, 3) move to `xy`; torch.linalg would wait for the device."""
    (a, b, left), (c, d, up) = (row[..., None].unbind(-2) for row in matrix.unbind(-2))  # (B, 1) each
    x, y = xy[..., 0] - left, xy[..., 1] - up
    return torch.stack([d * x - b * y, a * y - c * x], dim=-1) / (a * d - b * c)[..., None]


def nearest_rotation(linear: Tensor) -> Tensor:
    """The rotation, mirrored or not, nearest to each matrix (B, 2, 2): the orthogonal factor of its polar form."""
    (a, b), (c, d) = (row.unbind(-1) for row in linear.unbind(-2))
    sign = torch.where(a * d < b * c, -1.0, 1.0)
    cos, sin = a + sign * d, c - sign * b
    length = torch.hypot(cos, sin)
    cos, sin = cos / length, sin / length
    return torch.stack([cos, -sign * sin, sin, sign * cos], dim=-1).unflatten(-1, (2, 2))
