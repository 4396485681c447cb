"""Hip-knee-ankle angles: sign, size and uncertainty, against constructions whose angle is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hka.angles import (
    HIPS,
    KNEES,
    angle_difference,
    angle_sd,
    measure_angles,
    segment_lengths,
    varus,
    with_sign,
)
from tests.samples.coco_joints import MIRROR
from tests.samples.standing_legs import standing_joints

degrees = st.floats(-20, 20)


@given(
    degrees, degrees, st.floats(-180, 180), st.floats(0.1, 20), st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
)
def test_an_angle_survives_rotation_scale_and_translation(
    left: float, right: float, turn: float, scale: float, shift: tuple[float, float]
) -> None:
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    moved = scale * standing_joints(left, right) @ np.array([[c, s], [-s, c]]) + shift
    assert varus(moved) == pytest.approx([left, right], abs=1e-6)


@given(degrees, degrees)
def test_mirroring_the_image_swaps_the_legs_and_keeps_the_sign(left: float, right: float) -> None:
    # what a network reports of the mirrored photo
    mirrored = (standing_joints(left, right) * [-1, 1])[MIRROR]
    assert varus(mirrored) == pytest.approx([right, left], abs=1e-9)
    # the person's left is now at smaller x
    seen_from_behind = standing_joints(left, right) * [-1, 1]
    assert varus(seen_from_behind) == pytest.approx([left, right], abs=1e-9)


def test_a_knee_further_out_is_varus() -> None:
    bowed = standing_joints(0, 0, abducted=0)
    bowed[13, 0] += 5
    bowed[14, 0] -= 5
    angles = measure_angles(bowed[None])
    assert (angles.varus > 0).all()
    assert angles.medial == pytest.approx(180 - angles.varus)
    assert with_sign(angles.varus, "valgus") == pytest.approx(-angles.varus)
    with pytest.raises(ValueError, match="varus, valgus"):
        with_sign(0, "knees")


def test_vectorised_over_persons_equals_one_by_one() -> None:
    people = np.random.default_rng(0).normal(0, 100, (50, 17, 2))
    assert varus(people) == pytest.approx(np.array([varus(person) for person in people]))


def test_a_leg_without_a_joint_is_refused_and_the_other_kept() -> None:
    scores = np.ones((1, 17))
    scores[0, 15] = 0.1
    angles = measure_angles(standing_joints(4, 5)[None], scores)
    assert np.isnan(angles.varus[0, 0])
    assert angles.varus[0, 1] == pytest.approx(5)
    # without one hip the lateral side of the other leg is unknown
    scores[0, 12] = 0
    assert np.isnan(measure_angles(standing_joints(4, 5)[None], scores).varus).all()


def test_a_person_in_profile_has_no_lateral_side() -> None:
    points = standing_joints(4, 5)
    points[:, 0] = np.where(np.arange(17) % 2 == 1, 0, points[:, 0])
    points[HIPS] = [[0, 0], [0, 0]]
    assert np.isnan(varus(points)).all()


@pytest.mark.parametrize(("segment", "expected"), [(40, 2.9), (80, 1.4), (160, 0.72)])
def test_one_pixel_of_knee_error_costs_what_the_docstring_says(segment: float, expected: float) -> None:
    covariance = np.zeros((17, 2, 2))
    covariance[KNEES] = np.eye(2)
    points = standing_joints(0, 0, segment, segment)
    assert angle_sd(points, covariance) == pytest.approx([expected, expected], abs=0.05)


@given(degrees, st.integers(0, 1000))
def test_the_uncertainty_is_what_moving_the_joints_gives(deviation: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = standing_joints(deviation, -deviation, rng.uniform(60, 200), rng.uniform(60, 200))
    roots = rng.normal(0, 0.4, (17, 2, 2))
    moved = points + np.einsum("kij,nkj->nki", roots, rng.standard_normal((4000, 17, 2)))
    predicted = angle_sd(points, roots @ np.swapaxes(roots, -1, -2))
    assert varus(moved).std(0) == pytest.approx(predicted, rel=0.1)


def test_segment_lengths_are_thigh_and_shank() -> None:
    assert segment_lengths(standing_joints(0, 0, 100, 95)) == pytest.approx(np.array([[100, 95], [100, 95]]))


def test_a_difference_takes_the_short_way_round() -> None:
    assert angle_difference(179, -179) == pytest.approx(-2)
