"""Few labels: whose are used, and who is shown to students with and without a teacher."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.store.writer import HeatmapStore
from student.batches.labels import has_labels, usable_labels
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.settings import StudentSettings
from tests.samples.drawn_store import STREAM, draw_photos, take_batches, write_store

ROWS = 30
#: whose annotations have no labelled joints
BARE = (3, 4, 20)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    folder = tmp_path_factory.mktemp("labels")
    table = draw_photos(folder / "photos", ROWS)
    table.visibility[BARE, :] = 0
    return write_store(folder / "a.zarr", folder / "photos", table)


def test_labels_are_drawn_by_the_seed_among_those_who_have_some(store: HeatmapStore) -> None:
    chosen = [
        np.flatnonzero(has_labels(usable_labels(store.instances, replace(STREAM, labelled=9, seed=seed))))
        for seed in (0, 0, 1)
    ]
    assert [len(rows) for rows in chosen] == [9, 9, 9]
    assert np.array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])
    assert not set(BARE) & set(chosen[0]) | set(BARE) & set(chosen[2])
    few = usable_labels(store.instances, replace(STREAM, labelled=9, max_rows=12))
    assert np.flatnonzero(has_labels(few)).max() < 12
    assert np.array_equal(few.keypoints, store.instances.keypoints)
    with pytest.raises(ValueError, match=r"train\.labelled is 28: expected at most 27, who have labels"):
        usable_labels(store.instances, replace(STREAM, labelled=28))


def test_persons_without_labels_are_shown_only_where_a_teacher_teaches_them(store: HeatmapStore) -> None:
    shown = take_batches(store, replace(STREAM, labelled=9))
    rows = np.concatenate([batch.plan.rows for batch in shown])
    assert set(rows) == set(range(ROWS))
    labelled = has_labels(usable_labels(store.instances, replace(STREAM, labelled=9)))
    for batch in shown:
        assert batch.labelled is not None
        assert np.array_equal(batch.labelled.numpy(), labelled[batch.plan.rows])
        assert not batch.target_weight[batch.labelled == 0].any()
    left_out = take_batches(store, replace(STREAM, labelled=9, unlabelled="left out"))
    assert {int(row) for batch in left_out for row in batch.plan.rows} == set(np.flatnonzero(labelled))
    assert all(batch.labelled is None for batch in left_out)


def test_few_labels_take_as_many_steps_and_other_views_each_time(store: HeatmapStore) -> None:
    everybody, few = STREAM, replace(STREAM, labelled=4, unlabelled="left out")
    with TrainLoader([store], everybody) as all_rows, TrainLoader([store], few) as some:
        assert some.sampler.steps(3) == all_rows.sampler.steps(3)
        batch = next(some.batches(0, 1))
    person = batch.plan.rows[0]
    views = batch.plan.view_to_image[batch.plan.rows == person]
    assert len(views) > 1
    assert not np.array_equal(views[0], views[1])


def test_who_learns_from_labels_only_does_not_share_a_stream_with_others() -> None:
    students = [
        StudentSettings.model_validate({"name": mode, "distill": {"mode": mode}, "train": {"labelled": 100}})
        for mode in ("cached", "none")
    ]
    with pytest.raises(ValueError, match=r"students cached and none cannot share one stream: with train\.labelled"):
        stream_of(students)
    alone = [stream_of([student]).unlabelled for student in students]
    assert alone == ["shown", "left out"]


def test_a_store_with_persons_without_labels_is_refused_to_a_shared_stream(store: HeatmapStore) -> None:
    with pytest.raises(ValueError, match="3 of 30 persons have no labels, and only some of these students"):
        TrainLoader([store], replace(STREAM, unlabelled="undecided"))


def test_labels_only_and_none_are_there(tmp_path: Path) -> None:
    table = draw_photos(tmp_path / "photos", 4)
    table.visibility[:] = 0
    bare = write_store(tmp_path / "a.zarr", tmp_path / "photos", table)
    with pytest.raises(ValueError, match="none of 4 persons has labels"):
        TrainLoader([bare], replace(STREAM, unlabelled="left out"))
    (batch,) = take_batches(bare, STREAM, stop=1)
    assert batch.labelled is not None
    assert not batch.labelled.any()
