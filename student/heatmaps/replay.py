"""A cached heatmap in the student's view, by geometry only: the teacher does not run again.

`warp` moves the whole map with the image: a peak grows and shrinks with the zoom, which a live teacher's does not.
`peaks` moves the window around each joint's highest peak to where `warp` puts that peak, turned and mirrored, but not
zoomed. `kdcache fidelity` measures both against the live teacher. Moving second and third peaks as well gained nothing;
showing the whole map around its highest peak gained 1 % of the RMSE for twice the time.
"""

from typing import Literal, get_args

from torch import Tensor

from student.heatmaps.decode import find_peaks
from student.heatmaps.sampling import sample_grid, sampling_grid
from student.heatmaps.windows import paste_windows, place_windows, read_windows, shown_maps

ReplayMode = Literal["peaks", "warp"]


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
    if mode == "peaks":
        windows = place_windows(
            find_peaks(maps),
            student_to_teacher,
            flipped,
            out_size,
            mirror=mirror,
            teacher_sigma=teacher_sigma,
            student_sigma=student_sigma,
        )
        return paste_windows(read_windows(maps.flatten(0, 1), windows), windows, out_size)
    shown = shown_maps(flipped, maps.shape[1], mirror)
    grid = sampling_grid(student_to_teacher.float(), (maps.shape[2], maps.shape[3]), out_size)
    moved = sample_grid(maps, grid)
    return moved.flatten(0, 1)[shown.flatten()].view(moved.shape)
