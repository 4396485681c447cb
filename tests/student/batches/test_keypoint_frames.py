"""A keypoint followed from the image through store, loader, target and teacher map, decoder, and back to the image."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply, compose, invert
from cache_tools.store.spec import FrameSpec
from cache_tools.store.writer import HeatmapStore
from student.heatmaps.decode import dark_decode
from tests.samples.coco_joints import MIRROR
from tests.samples.drawn_store import STREAM, draw_photos, take_batches, write_store

INPUT, CELLS = (256, 192), (64, 48)
ROWS = 40
# cells; DARK's blur mirrors the map there, and the official decoder itself errs nearer to the border
BLUR_RADIUS = 5.5


@pytest.fixture(scope="module", params=["udp", "stride"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Write a store of persons about as large in the photo as in a plain crop, in the default codec."""
    folder = tmp_path_factory.mktemp("data")
    frame = FrameSpec(request.param, INPUT, CELLS, sigma=2.0)
    table = draw_photos(folder / "photos", ROWS)
    return write_store(folder / "a.zarr", folder / "photos", table, frame=frame, codec="compact", chunk_rows=16)


@pytest.mark.parametrize("replay", ["peaks", "warp"])
def test_a_keypoint_comes_back_within_half_a_pixel(store: HeatmapStore, replay: Literal["peaks", "warp"]) -> None:
    """Half a pixel of the image; where the view or the teacher's crop is coarser than the image, half of theirs."""
    settings = replace(STREAM, input_size=INPUT, heatmap_size=CELLS, sigma=2.0, replay=replay)
    teacher_to_image = compose(store.cell_to_crop, store.crop_to_image)
    flipped: list[bool] = []
    degrees: list[float] = []
    zooms: list[float] = []
    followed = 0
    for batch in take_batches(store, settings, stop=30):
        plan = batch.plan
        assert batch.teacher_maps is not None
        joints = np.where(plan.flipped[:, None], MIRROR, np.arange(17))
        truth = store.instances.keypoints[plan.rows[:, None], joints]
        teacher_cells = apply(invert(teacher_to_image[plan.rows]), truth)
        in_view = batch.target_weight.numpy().astype(bool) & inside(plan.xy_cells)
        pixel = np.maximum(1.0, pixel_size(plan.view_to_image))[:, None]
        assert (distance(batch.targets, plan.cell_to_image, truth) <= 0.5 * pixel)[in_view].all()
        # a cell is four pixels
        pixel = np.maximum(pixel, pixel_size(teacher_to_image[plan.rows])[:, None] / 4)
        in_both = in_view & inside(teacher_cells)
        assert (distance(batch.teacher_maps, plan.cell_to_image, truth) <= 0.5 * pixel)[in_both].all()
        followed += in_both.sum()
        flipped += plan.flipped.tolist()
        down = plan.view_to_image[:, :, 1]
        degrees += np.degrees(np.arctan2(-down[:, 0], down[:, 1])).tolist()
        zooms += (pixel_size(plan.view_to_image) / pixel_size(store.crop_to_image[plan.rows])).tolist()
    assert followed > 1000
    assert 0.4 < np.mean(flipped) < 0.6
    assert min(degrees) < -75
    assert max(degrees) > 75
    assert min(zooms) < 0.52
    assert max(zooms) > 1.48


def inside(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether points (B, 17, 2) lie far enough from the border of the map."""
    return np.asarray(((cells >= BLUR_RADIUS) & (cells <= np.array(CELLS[::-1]) - 1 - BLUR_RADIUS)).all(-1))


def pixel_size(matrix: Matrix) -> NDArray[np.float64]:
    """Return the image pixels (B,) a pixel or cell of matrices (B, 2, 3)."""
    side: NDArray[np.float64] = np.sqrt(np.abs(np.linalg.det(matrix[:, :, :2])))
    return side


def distance(maps: torch.Tensor, cell_to_image: Matrix, truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the image pixels (B, 17) between the keypoints that maps decode to and the true ones."""
    found, _ = dark_decode(maps)
    return np.linalg.norm(apply(cell_to_image, found.numpy()) - truth, axis=-1)
