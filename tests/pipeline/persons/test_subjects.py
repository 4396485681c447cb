"""Persons for figures: drawn evenly from those that show enough."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.instances import Instances
from cache_tools.photos.options import UPRIGHT
from pipeline.persons.photo_boxes import PhotoBoxes
from pipeline.persons.subjects import ENOUGH_PIXELS, choose, from_annotations, from_photos, whole_groups


@pytest.fixture(scope="module")
def persons(shared_data: Path) -> Instances:
    return read_coco(shared_data / "coco" / "person_keypoints_val.json")


def test_chosen_persons_show_enough_and_are_spread_over_the_file(persons: Instances) -> None:
    rows = choose(persons, 6)
    assert len(set(rows.tolist())) == 6
    assert ((persons.visibility[rows] > 0).sum(1) >= 12).all()
    assert (persons.box[rows, 3] >= ENOUGH_PIXELS).all()
    assert rows[0] < len(persons) / 6
    assert rows[-1] > len(persons) * 5 / 6


def test_where_few_show_enough_the_best_are_taken(persons: Instances) -> None:
    labelled = (persons.visibility > 0).sum(1)
    poor = persons.take(np.flatnonzero(labelled < 12)[:20])
    rows = choose(poor, 3)
    counts = (poor.visibility > 0).sum(1)
    assert counts[rows].min() >= np.sort(counts)[-3]


def test_of_other_skeletons_as_large_a_part_of_the_joints_is_enough(persons: Instances) -> None:
    legs = replace(persons, keypoints=persons.keypoints[:, 11:], visibility=persons.visibility[:, 11:])
    rows = choose(legs, 6)
    assert ((legs.visibility[rows] > 0).sum(1) >= 5).all()
    assert (persons.box[rows, 3] >= ENOUGH_PIXELS).all()


def test_annotations_are_found_by_their_ids(persons: Instances) -> None:
    ids = persons.annotation_id[[4, 2]].tolist()
    subjects = from_annotations(persons, Path("photos"), ids=ids)
    assert sorted(subjects.titles) == sorted(str(number) for number in ids)
    assert subjects.photo[0] == Path("photos") / persons.file_name[2]
    with pytest.raises(ValueError, match="no labelled person has the annotation id -3"):
        from_annotations(persons, Path(), ids=[-3])


def test_whole_groups_are_all_persons_of_some_photos(persons: Instances) -> None:
    subjects = whole_groups(persons, Path(), 3)
    assert subjects.truth is not None
    images = np.unique(subjects.truth.image_id)
    assert 1 <= len(images) <= 3
    assert len(subjects) == np.isin(persons.image_id, images).sum()


def test_photos_are_drawn_evenly() -> None:
    photos = PhotoBoxes(
        photo=tuple(Path(f"{number}.jpg") for number in range(5)),
        name=tuple(f"{number}.jpg" for number in range(5)),
        category_id=np.ones(5, np.int64),
        photo_size=(None,) * 5,
        box=np.arange(20.0).reshape(5, 4),
        score=np.ones(5),
        image_id=np.arange(5),
        photo_options=UPRIGHT,
    )
    subjects = from_photos(photos, 3)
    assert subjects.titles == ["0", "2", "4"]
    assert subjects.box[1].tolist() == [8, 9, 10, 11]
    assert subjects.photo_options == UPRIGHT
    assert len(from_photos(photos)) == len(from_photos(photos, 9)) == 5
