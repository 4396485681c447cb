"""A keypoint followed from the image through store, loader, target and teacher map, decoder, and back to the image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.coco import MIRROR
from cache_tools.geometry import Matrix, apply, compose, invert
from cache_tools.store.spec import FrameSpec
from cache_tools.store.writer import HeatmapStore
from student.heatmaps.decode import dark_decode
from tests.samples.drawn_store import STREAM, draw_photos, take_batches, write_store

INPUT, CELLS = (256, 192), (64, 48)
ROWS = 40
BLUR_REACH = 5.5  # cells; DARK's blur mirrors the map there, so the official decoder itself errs nearer to the border


@pytest.fixture(scope="module", params=["udp", "stride"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Persons about as large in the photo as in a plain crop, in the codec that is the default."""
    folder = tmp_path_factory.mktemp("data")
    frame = FrameSpec(request.param, INPUT, CELLS, sigma=2.0)
    photos = folder / "photos"
    return write_store(
        folder / "a.zarr", photos, draw_photos(photos, ROWS), frame=frame, codec="compact", chunk_rows=16
    )


@pytest.mark.parametrize("replay", ["peaks", "warp"])
def test_a_keypoint_comes_back_within_half_a_pixel(store, replay) -> None:
    """Of the image; where the view or the teacher's crop is coarser than the image, half a pixel of that."""
    settings = replace(STREAM, input_size=INPUT, heatmap_size=CELLS, sigma=2.0, replay=replay)
    teacher_to_image = compose(store.cell_to_crop, store.crop_to_image)
    flipped, degrees, zooms, followed = [], [], [], 0
    for batch in take_batches(store, settings, stop=30):
        plan = batch.plan
        joints = np.where(plan.flipped[:, None], MIRROR, np.arange(17))
        truth = store.instances.keypoints[plan.rows[:, None], joints]
        teacher_cells = apply(invert(teacher_to_image[plan.rows]), truth)
        seen = batch.target_weight.numpy().astype(bool) & inside(plan.xy_cells)
        pixel = np.maximum(1.0, step(plan.view_to_image))[:, None]
        assert (distance(batch.targets, plan.cell_to_image, truth) <= 0.5 * pixel)[seen].all()
        pixel = np.maximum(pixel, step(teacher_to_image[plan.rows])[:, None] / 4)  # a cell is four pixels
        known = seen & inside(teacher_cells)
        assert (distance(batch.teacher_maps, plan.cell_to_image, truth) <= 0.5 * pixel)[known].all()
        followed += known.sum()
        flipped += plan.flipped.tolist()
        down = plan.view_to_image[:, :, 1]
        degrees += np.degrees(np.arctan2(-down[:, 0], down[:, 1])).tolist()
        zooms += (step(plan.view_to_image) / step(store.crop_to_image[plan.rows])).tolist()
    assert followed > 1000
    assert 0.4 < np.mean(flipped) < 0.6
    assert min(degrees) < -75 < 75 < max(degrees)
    assert min(zooms) < 0.52 < 1.48 < max(zooms)


def inside(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points (B, 17, 2) lie far enough from the border of the map."""
    return ((cells >= BLUR_REACH) & (cells <= np.array(CELLS[::-1]) - 1 - BLUR_REACH)).all(-1)


def step(matrix: Matrix) -> NDArray[np.float64]:
    """Image pixels (B,) a pixel or cell of matrices (B, 2, 3)."""
    return np.sqrt(np.abs(np.linalg.det(matrix[:, :, :2])))


def distance(maps: torch.Tensor, cell_to_image: Matrix, truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Image pixels (B, 17) between what maps decode to and the truth."""
    found, _ = dark_decode(maps)
    return np.linalg.norm(apply(cell_to_image, found.numpy()) - truth, axis=-1)
