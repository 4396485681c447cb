"""Windows around peaks, from a teacher's maps into those of the student's views: where they lie, how they are pasted.

A window is turned and mirrored as the view is, and not zoomed. Points are (x, y) in cells. CPU and CUDA run the same
code, and nothing here waits for the device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from student.heatmaps.mirror import shown_joints
from student.heatmaps.sampling import sample_grid, sampling_grid

# half the side of a window
WINDOW_SIGMAS = 4.0


@dataclass(frozen=True, kw_only=True)
class Windows:
    """One window a map: B views of K joints."""

    #: half the side in the student's cells: a window has 2 * margin + 1 cells a side
    margin: int
    #: (B, K, 2) integers: the student's cell of the window's middle, in view
    middle: Tensor
    #: (B, 2, 2) student's step -> teacher's step
    turn: Tensor
    #: (B, K, 2) the teacher's point that a window's first cell shows
    start: Tensor
    #: (B, K) index into maps (B * K, h, w) of the student's map that each teacher's map becomes
    shown: Tensor

    @property
    def teacher_middle(self) -> Tensor:
        """The teacher's point (B, K, 2) that a window's middle shows."""
        return self.start + self.margin * self.turn.sum(-1)[:, None]


def place_windows(
    peaks: Tensor,
    student_to_teacher: Tensor,
    flipped: Tensor,
    out_size: tuple[int, int],
    *,
    mirror: tuple[int, ...] | None,
    teacher_sigma: float,
    student_sigma: float,
) -> Windows:
    """Return the windows that show peaks (B, K, 2) of a teacher's maps in views.

    The other arguments are those of `replay_maps`. Of a peak outside the view, a window at the edge shows what is in
    view.
    """
    matrix = student_to_teacher.float()
    xy_student = _inverse_apply(matrix, peaks)
    x, y = xy_student.round().unbind(-1)
    middle = torch.stack([x.clamp(0, out_size[1] - 1), y.clamp(0, out_size[0] - 1)], dim=-1)
    margin = window_margin(student_sigma)
    turn = teacher_sigma / student_sigma * nearest_rotation(matrix[:, :, :2])
    return Windows(
        margin=margin,
        middle=middle,
        turn=turn,
        start=peaks + (middle - margin - xy_student) @ turn.mT,
        shown=shown_maps(flipped, peaks.shape[1], mirror),
    )


def window_margin(student_sigma: float) -> int:
    """Return half the side of a window in the student's cells."""
    return math.ceil(WINDOW_SIGMAS * student_sigma)


def read_windows(sources: Tensor, windows: Windows, corner: Tensor | None = None) -> Tensor:
    """Return the windows' values (B * K, side, side) from parts (B * K, height, width) of the teacher's maps.

    corner: (B, K, 2) integers, the teacher's cell that is a part's first one; None: parts are whole maps. Bilinear,
    0 outside the part.
    """
    batch, count = windows.middle.shape[:2]
    side = 2 * windows.margin + 1
    start = windows.start if corner is None else windows.start - corner
    to_source = torch.cat([windows.turn[:, None].expand(batch, count, 2, 2), start[..., None]], dim=-1)
    grid = sampling_grid(to_source.flatten(0, 1), (sources.shape[1], sources.shape[2]), (side, side))
    return sample_grid(sources[:, None], grid)[:, 0]


def paste_windows(values: Tensor, windows: Windows, out_size: tuple[int, int]) -> Tensor:
    """Return maps (B, K, *out_size) that are 0 but for the windows' values (B * K, side, side)."""
    (batch, count), (height, width) = windows.middle.shape[:2], out_size
    steps = torch.arange(-windows.margin, windows.margin + 1, device=values.device)
    columns, rows = (cell[..., None] + steps for cell in windows.middle.long().unbind(-1))  # (B, K, side)
    in_view = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[..., None, :]
    cells = (windows.shown[..., None] * height + rows)[..., :, None] * width + columns[..., None, :]
    # cells out of view go into one more cell, which is cut off
    maps = values.new_zeros(batch * count * height * width + 1)
    maps.scatter_(0, torch.where(in_view, cells, maps.numel() - 1).flatten(), values.flatten())
    return maps[:-1].view(batch, count, height, width)


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


def shown_maps(flipped: Tensor, joints: int, mirror: tuple[int, ...] | None) -> Tensor:
    """Return the index (B, K) into maps (B * K, h, w) of the map that joint k of view b shows: its mirror's if flipped.

    As a permutation it is its own inverse.
    """
    joint = shown_joints(flipped, joints, mirror)
    return joint + joints * torch.arange(len(flipped), device=flipped.device)[:, None]


def _inverse_apply(matrix: Tensor, xy: Tensor) -> Tensor:
    """Return the points (B, K, 2) that matrices (B, 2, 3) move to `xy`; torch.linalg would wait for the device."""
    (a, b, left), (c, d, up) = (row[..., None].unbind(-2) for row in matrix.unbind(-2))  # (B, 1) each
    x, y = xy[..., 0] - left, xy[..., 1] - up
    return torch.stack([d * x - b * y, a * y - c * x], dim=-1) / (a * d - b * c)[..., None]
