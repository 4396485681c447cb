"""The second look: which box it takes, and when the first one is kept."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.hka.fit import closer_boxes, find_fitted_joints, find_joints_of_persons
from pipeline.hka.joints import Joints
from pipeline.persons.photo_boxes import PhotoBoxes, whole_photo_boxes
from pipeline.report.overlay import write_picture
from student.inference import Inference
from student.pose_network import Crops, Maps
from tests.samples.standing_legs import standing_joints
from tests.samples.still_network import StillNetwork

PLAIN = Inference(flip=False)


def joints_at(xy: np.ndarray, seen: int) -> Joints:
    """Return one person's joints, the first `seen` of the legs' and shoulders' seen."""
    score = np.zeros((1, 17))
    score[0, [5, 6, 11, 12, 13, 14, 15, 16][:seen]] = 0.9
    return Joints(xy=xy[None], score=score, covariance=np.tile(np.eye(2), (1, 17, 1, 1)))


def test_the_box_of_the_joints_is_inside_the_photo_and_worth_it_where_the_person_is_small() -> None:
    person = standing_joints(0, 0)
    tall = person[:, 1].max() - person[:, 1].min()
    at = person - person.min(0) + [300, 20]
    boxes, worth = closer_boxes(joints_at(at, 8), np.array([[0.0, 0, 640, 480]]), [(480, 640)], (256, 192), 0.3)
    assert worth.all()
    left, top, width, height = boxes[0]
    assert left == np.floor(300 - 0.06 * tall)
    # a tenth of the height above the shoulders is outside the photo
    assert top == 0
    assert left + width == np.ceil(at[:, 0].max() + 0.06 * tall)
    assert height == np.ceil(at[:, 1].max() + 0.06 * tall)
    _, filling = closer_boxes(joints_at(at, 8), boxes, [(480, 640)], (256, 192), 0.3)
    assert not filling.any()
    _, few = closer_boxes(joints_at(at, 5), np.array([[0.0, 0, 640, 480]]), [(480, 640)], (256, 192), 0.3)
    assert not few.any()


class FadingNetwork(StillNetwork):
    """Sees fewer joints with every look."""

    looks = 0

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps without the shoulders from the second look on."""
        maps = super().__call__(crops)
        if self.looks:
            maps[:, [5, 6]] = 0
        self.looks += 1
        return maps


@pytest.fixture
def persons(tmp_path: Path) -> PhotoBoxes:
    """Write a wide photo and return it as one person."""
    write_picture(tmp_path / "wide.jpg", np.full((300, 400, 3), 90, np.uint8))
    return whole_photo_boxes([tmp_path / "wide.jpg"])


def test_the_second_look_replaces_joints_and_box(persons: PhotoBoxes) -> None:
    first = find_joints_of_persons(StillNetwork(), persons, PLAIN)
    fitted, joints = find_fitted_joints(StillNetwork(), persons, PLAIN, 0.3)
    assert fitted.box[0, 2] < persons.box[0, 2]
    np.testing.assert_array_equal(joints.xy, find_joints_of_persons(StillNetwork(), fitted, PLAIN).xy)
    assert not np.array_equal(joints.xy, first.xy)


def test_the_first_look_is_kept_where_the_second_sees_fewer_joints(persons: PhotoBoxes) -> None:
    first = find_joints_of_persons(StillNetwork(), persons, PLAIN)
    fitted, joints = find_fitted_joints(FadingNetwork(), persons, PLAIN, 0.3)
    np.testing.assert_array_equal(fitted.box, persons.box)
    np.testing.assert_array_equal(joints.xy, first.xy)
