"""Rows, views and matrices of a batch, computed before any pixel is read, with numpy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools import geometry
from cache_tools.geometry import Matrix
from cache_tools.instances import Instances
from cache_tools.skeletons import Skeleton
from student.batches.augment import sample_views
from student.batches.random_draws import uniform_draws
from student.batches.stream import StreamSettings
from student.settings import STUDENT_FRAME

# a column of random draws that sample_views does not use
STORED_VIEW_DRAW = 31


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The rows and the geometry of one batch of B persons."""

    #: (B,) of the instance table
    rows: NDArray[np.int64]
    #: (B, 2, 3) student's crop pixel -> image pixel, mirror included
    view_to_image: Matrix
    #: (B, 2, 3) student's heatmap cell -> image pixel
    cell_to_image: Matrix
    #: (B,) left and right joints have changed places
    flipped: NDArray[np.bool_]
    #: (B, 3) colour = gain * colour + bias, in 0..255
    gain: NDArray[np.float32]
    #: (B, 3)
    bias: NDArray[np.float32]
    #: (B, K, 2) keypoints in heatmap cells, left and right as the view shows them
    xy_cells: NDArray[np.float64]
    #: (B, K)
    visibility: NDArray[np.uint8]


def plan_batch(
    settings: StreamSettings,
    instances: Instances,
    rows: NDArray[np.int64],
    epochs: NDArray[np.int64],
    skeleton: Skeleton,
    stored: tuple[Matrix, NDArray[np.bool_]] | None = None,
) -> BatchPlan:
    """Return the plan of these rows in these epochs, (B,) each: a random view of each person, or the stored one.

    skeleton: of the persons' keypoints.
    stored: student's cell -> image (B, 2, 3) and flipped (B,) of views whose heatmaps a store holds.
    """
    keypoints, visibility = instances.keypoints[rows], instances.visibility[rows]
    views = sample_views(
        instances.box[rows],
        keypoints,
        visibility,
        rows,
        settings.augment,
        skeleton=skeleton,
        seed=settings.seed,
        epoch=epochs,
        input_size=settings.input_size,
        frame=STUDENT_FRAME,
    )
    cell_to_view = geometry.cell_to_crop(STUDENT_FRAME, settings.input_size, settings.heatmap_size)
    view_to_image, flipped = views.crop_to_image, views.flipped
    if stored is not None:
        view_to_image, flipped = geometry.compose(geometry.invert(cell_to_view), stored[0]), stored[1]
    cell_to_image = geometry.compose(cell_to_view, view_to_image)
    xy_cells = geometry.apply(geometry.invert(cell_to_image), keypoints)
    unflipped = np.arange(len(skeleton))
    mirror = unflipped if skeleton.mirror is None else np.array(skeleton.mirror)
    joints = np.where(flipped[:, None], mirror, unflipped)  # (B, K)
    batch = np.arange(len(rows))[:, None]
    return BatchPlan(
        rows=rows,
        view_to_image=view_to_image,
        cell_to_image=cell_to_image,
        flipped=flipped,
        gain=views.gain,
        bias=views.bias,
        xy_cells=xy_cells[batch, joints],
        visibility=visibility[batch, joints],
    )


def choose_stored_views(
    settings: StreamSettings, rows: NDArray[np.int64], epochs: NDArray[np.int64], views: int
) -> NDArray[np.int64]:
    """Return which of its `views` stored views each row shows in its epoch; all arrays (B,)."""
    chance = uniform_draws(settings.seed, epochs, rows, STORED_VIEW_DRAW + 1)[:, STORED_VIEW_DRAW]
    return (chance * views).astype(np.int64)


def between_cells(source: tuple[int, int], destination: tuple[int, int]) -> Matrix:
    """Return the matrix (2, 3) from cells of one map to those of another of the same view: corner cell on corner cell.

    With maps of equal size the teacher's view is chosen by its cells, which *are* the student's in either frame: no map
    is resampled, and its crop differs from its frame's by one part in the width at most.
    """
    (source_height, source_width), (height, width) = source, destination
    return np.array([[(width - 1) / (source_width - 1), 0, 0], [0, (height - 1) / (source_height - 1), 0]], np.float64)
