"""Joints that a teacher does not know: they have no weight, in the view that the student sees."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from cache_tools.skeletons import COCO
from cache_tools.store.writer import HeatmapStore
from student.batches.loader import TrainLoader
from tests.samples.drawn_store import STREAM, draw_photos, take_batches, write_store

LEFT, RIGHT = COCO.names.index("left_ear"), COCO.names.index("right_ear")


def names_without(*unknown: int) -> tuple[str | None, ...]:
    """Return COCO's joints as a teacher names them that does not know some."""
    return tuple(None if joint in unknown else name for joint, name in enumerate(COCO.names))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Write a store of a teacher that does not know the left ear."""
    folder, table = tmp_path_factory.mktemp("stores"), draw_photos(photos, 24)
    return write_store(folder / "left.zarr", photos, table, views=2, joints=names_without(LEFT))


@pytest.mark.parametrize("replay", ["peaks", "views"])
def test_an_unknown_joint_has_no_weight_where_the_view_shows_it(
    store: HeatmapStore, replay: Literal["peaks", "views"]
) -> None:
    """A replayed map changes sides with a mirrored view; a stored view was mirrored before the teacher ran."""
    flipped = 0
    for batch in take_batches(store, replace(STREAM, replay=replay), stop=3):
        assert batch.teacher_weight is not None
        for person, mirrored in enumerate(batch.plan.flipped):
            expected = torch.ones(len(COCO))
            expected[RIGHT if mirrored and replay == "peaks" else LEFT] = 0
            assert torch.equal(batch.teacher_weight[person], expected)
        flipped += int(batch.plan.flipped.sum())
    assert 0 < flipped < 24


def test_the_mean_of_two_teachers_is_over_those_that_know_the_joint(
    store: HeatmapStore, photos: Path, tmp_path: Path
) -> None:
    other = write_store(
        tmp_path / "right.zarr", photos, store.instances, scale=0.5, crops=False, joints=names_without(RIGHT)
    )
    warp = replace(STREAM, replay="warp", augment=STREAM.augment.model_copy(update={"flip": 0.0}))
    with TrainLoader([store, other], warp) as both:
        (batch,) = both.batches(0, 1)
    (full,) = take_batches(store, warp, stop=1)
    assert batch.teacher_weight is not None
    assert batch.teacher_maps is not None
    assert full.teacher_maps is not None
    assert (batch.teacher_weight == 1).all()
    # the first teacher's maps have height 1, the second's 0.5; tolerance: the codec's dead zone
    factor = torch.full((len(COCO), 1, 1), 0.75)
    factor[LEFT], factor[RIGHT] = 0.5, 1.0
    torch.testing.assert_close(batch.teacher_maps, factor * full.teacher_maps, atol=0.011, rtol=0)
