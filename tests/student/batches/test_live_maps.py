"""A live teacher sees the student's view and answers in its cells, with peaks as wide as a cached map's."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import FrameSpec
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.heatmaps.targets import render_targets
from tests.samples.coco_joints import MIRROR
from tests.samples.drawn_store import CELLS, STREAM, ColourTeacher, draw_photos, take_batches, write_store

# larger than the student's 32x24 cells with sigma 1.5
LARGER = FrameSpec("udp", (256, 192), (64, 48), sigma=2.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Write a store of a larger teacher's maps."""
    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "larger.zarr", folder / "photos", draw_photos(folder / "photos", 40), frame=LARGER)


class StoreTeacher:
    """A live teacher that returns what the store holds of the rows of each batch."""

    name, digest, licence = "store", "2" * 64, "CC0-1.0"
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    frame, input_size, heatmap_size, sigma = LARGER.name, LARGER.input_size, LARGER.heatmap_size, LARGER.sigma

    def __init__(self, store: HeatmapStore, rows: list[NDArray[np.int64]]) -> None:
        self.store, self.rows = store, iter(rows)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the maps of the next batch's rows."""
        return self.store.read(next(self.rows))


@pytest.mark.parametrize(
    "teacher",
    [ColourTeacher("stride"), ColourTeacher("udp", LARGER.input_size, LARGER.heatmap_size, LARGER.sigma)],
    ids=["stride", "udp, larger"],
)
def test_a_live_teacher_sees_the_students_view_and_answers_in_its_cells(
    store: HeatmapStore, teacher: ColourTeacher
) -> None:
    errors = []
    for batch in take_batches(store, replace(STREAM, live=True), teacher=teacher):
        assert batch.teacher_maps is not None
        flipped = torch.from_numpy(batch.plan.flipped)[:, None, None, None]
        # this teacher names a mirrored person's joints by colour: left and right are not exchanged
        maps = torch.where(flipped, batch.teacher_maps[:, MIRROR], batch.teacher_maps)
        xy = torch.from_numpy(batch.plan.xy_cells)
        inside = ((xy > 2) & (xy < torch.tensor([CELLS[1] - 3.0, CELLS[0] - 3.0]))).all(-1)
        errors.append((maps - batch.targets)[inside].abs().amax((-1, -2)))
    assert torch.cat(errors).median() < 0.15


@pytest.mark.parametrize(("replay", "width"), [("peaks", 1.5), ("warp", 2.0 * 31 / 63)])
def test_a_live_and_a_cached_teacher_agree_on_the_plain_view(
    store: HeatmapStore, replay: Literal["peaks", "warp"], width: float
) -> None:
    plain = replace(STREAM, replay=replay, augment=recipe("none"))
    cached = take_batches(store, plain)
    teacher = StoreTeacher(store, [batch.plan.rows for batch in cached])
    for batch, live in zip(cached, take_batches(store, replace(plain, live=True), teacher=teacher), strict=True):
        assert batch.teacher_maps is not None
        assert live.teacher_maps is not None
        assert torch.equal(live.images, batch.images)
        assert torch.allclose(live.teacher_maps, batch.teacher_maps, atol=1e-4)
        expected = render_targets(torch.from_numpy(batch.plan.xy_cells), CELLS, width)
        assert (live.teacher_maps - expected).abs().amax((-1, -2)).median() < 0.06
