"""Knees that are labelled where the photo shows the mechanical axis."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from cache_tools.skeletons import COCO, Skeleton
from pipeline.demo.knee_labels import move_knees
from pipeline.demo.standing import make_standing
from pipeline.hka.angles import HIPS, KNEES, LEG_JOINTS, measure_angles

varus = st.floats(-30, 30)


def keypoints_of_a_person() -> np.ndarray:
    """Return COCO keypoints (17, 3) whose hips, knees and ankles are the true centres of a rendered person."""
    person = make_standing(11, (172.0, 185.0), (240, 180), yaw_sd=12)
    keypoints = person.label.keypoints.astype(np.float64)
    keypoints[LEG_JOINTS, :2] = person.centres
    return keypoints


PERSON = keypoints_of_a_person()


@given(left=varus, right=varus, turned=st.floats(-180, 180), mirrored=st.booleans())
def test_moved_knees_show_the_requested_angle(left: float, right: float, turned: float, mirrored: bool) -> None:
    cosine, sine = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    keypoints = PERSON.copy()
    keypoints[:, :2] = keypoints[:, :2] @ [[cosine, sine], [-sine, cosine]] * [-1 if mirrored else 1, 1]
    moved = move_knees(keypoints, (left, right), COCO)
    np.testing.assert_allclose(measure_angles(moved[None, :, :2]).varus[0], [left, right], atol=1e-6)
    others = np.setdiff1d(np.arange(17), KNEES)
    np.testing.assert_array_equal(moved[others], keypoints[others])


def test_knees_of_a_rendered_person_move_a_little_and_across_the_leg() -> None:
    moved = move_knees(PERSON, (8.0, -5.0), COCO)
    shift = moved[KNEES, :2] - PERSON[KNEES, :2]
    leg = PERSON[LEG_JOINTS[:, 2], :2] - PERSON[LEG_JOINTS[:, 0], :2]
    np.testing.assert_allclose((shift * leg).sum(1), 0, atol=1e-6)
    # a leg of this photo has about a hundred pixels
    assert 0 < np.linalg.norm(shift, axis=1).max() < 3


def test_legs_with_a_joint_that_is_not_labelled_stay() -> None:
    keypoints = PERSON.copy()
    keypoints[HIPS[0]] = 0
    np.testing.assert_array_equal(move_knees(keypoints, (20.0, 20.0), COCO), keypoints)


def test_skeletons_without_legs_are_refused() -> None:
    with pytest.raises(ValueError, match="has no left hip, knee and ankle"):
        move_knees(PERSON[:2], (0.0, 0.0), Skeleton(name="eyes", names=("left_eye", "right_eye")))
