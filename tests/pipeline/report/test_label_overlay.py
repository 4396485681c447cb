"""Labels drawn with their joints' names: seeded, whole, in the colours of their sides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.annotations import read_annotation_file
from cache_tools.images import read_image
from cache_tools.instances import Instances
from cache_tools.skeletons import Side, Skeleton, load_skeleton
from pipeline.report.label_overlay import choose_labelled, label_picture, write_label_overlays
from pipeline.report.overlay import LEFT, MIDDLE, RIGHT, drawn_side, limb_colours, write_picture
from tests.samples.coco_document import coco_document, write_document

HORSE = Skeleton(names=("Nearknee", "Offknee", "nose"), mirror=(1, 0, 2), name="horse")
GREY = np.full((120, 160, 3), 128, np.uint8)


@pytest.fixture
def persons(tmp_path: Path) -> Instances:
    """Return eight persons, of whom the last has one labelled joint; their photos are grey."""
    document = coco_document(persons=8)
    document["annotations"][7]["keypoints"] = [20, 30, 2] + [0] * 48
    for image in document["images"]:
        write_picture(tmp_path / image["file_name"], GREY)
    return read_annotation_file(write_document(tmp_path, document)).instances()


def test_persons_are_chosen_by_the_seed_among_those_with_many_labels(persons: Instances) -> None:
    first, again, other = (choose_labelled(persons, 3, seed).tolist() for seed in (0, 0, 3))
    assert first == again != other
    assert choose_labelled(persons, 100, 0).tolist() == list(range(7))


def test_one_picture_a_person(persons: Instances, tmp_path: Path) -> None:
    skeleton = load_skeleton("coco")
    written = write_label_overlays(tmp_path / "drawn", persons.take(np.array([1, 6])), skeleton, tmp_path)
    assert [path.name for path in written] == ["101.jpg", "106.jpg"]
    picture = read_image(written[0])
    assert max(picture.shape) >= 1000
    # the photo is grey: whatever has a colour is drawn, 17 dots and names
    assert (np.ptp(picture[60:].astype(int), axis=-1) > 60).sum() > 17 * 100


def test_a_photo_of_another_size_is_refused(persons: Instances, tmp_path: Path) -> None:
    wrong = replace(persons, image_size=persons.image_size + 1)
    with pytest.raises(ValueError, match="its annotations say 121x161"):
        write_label_overlays(tmp_path / "drawn", wrong, load_skeleton("coco"), tmp_path)


def test_labels_far_outside_the_box_are_shown() -> None:
    """A wrong order or a wrong box is what the picture is for."""
    keypoints = np.array([[20.0, 20.0], [150.0, 110.0], [30.0, 30.0]])
    box = np.array([15.0, 15.0, 20.0, 20.0])
    near, far = (
        label_picture(GREY, box, keypoints, np.array(visibility, np.uint8), HORSE, "a")
        for visibility in ([2, 0, 2], [2, 2, 2])
    )
    blue = np.array(RIGHT[0])
    assert not (np.abs(near.astype(int) - blue).max(-1) < 40).any()
    assert (np.abs(far.astype(int) - blue).max(-1) < 40).any()


def test_a_skeleton_of_many_joints_has_numbers_and_no_person_needs_labels() -> None:
    whole = load_skeleton("coco_wholebody")
    rng = np.random.default_rng(0)
    keypoints, visibility = rng.uniform(20, 100, (133, 2)), rng.integers(0, 3, 133).astype(np.uint8)
    box = np.array([10.0, 10.0, 100.0, 100.0])
    assert label_picture(GREY, box, keypoints, visibility, whole, "b").shape[0] > 1000
    assert label_picture(GREY, box, keypoints, np.zeros(133, np.uint8), whole, "c").shape[0] > 1000


def test_joints_that_mirror_each_other_are_told_apart_though_their_names_state_no_side() -> None:
    assert [drawn_side(HORSE, joint) for joint in range(3)] == [Side.LEFT, Side.RIGHT, None]
    assert [limb_colours(HORSE, *pair) for pair in ((0, 0), (1, 1), (0, 1), (2, 2))] == [LEFT, RIGHT, MIDDLE, MIDDLE]
    half_named = Skeleton(names=("paw_r", "other"), mirror=(1, 0))
    assert [drawn_side(half_named, joint) for joint in range(2)] == [Side.RIGHT, Side.LEFT]
    assert drawn_side(Skeleton(names=("a", "b")), 0) is None
