"""Hip-knee-ankle angles: sign, size and uncertainty, against constructions whose angle is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_tools.coco import MIRROR
from cache_tools.geometry import cell_to_crop, compose, crop_to_image
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
from pipeline.hka.covariance import SMALLEST_SD, covariance_cells, covariance_image
from pipeline.hka.quality import find_flags

ALL_SEEN = np.ones((1, 17))
angle = st.floats(-20, 20)


def standing(left: float, right: float, thigh: float = 100, shank: float = 95, abducted: float = 3) -> np.ndarray:
    """A person (17, 2) facing the camera whose legs deviate by `left` and `right` degrees, varus positive.

    Built joint by joint: the shank is the thigh's direction turned inwards (varus) by the deviation. Image y points
    down; the person's left is at larger x.
    """
    points = np.zeros((17, 2))
    points[[5, 6]] = [[40, -125], [-40, -125]]
    for outwards, hip, deviation in ((1, 11, left), (-1, 12, right)):
        points[hip] = [24 * outwards, 0]
        for joint, length, degrees in ((hip + 2, thigh, abducted), (hip + 4, shank, abducted - deviation)):
            direction = np.array([outwards * math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])
            points[joint] = points[joint - 2] + length * direction
    return points


@given(angle, angle, st.floats(-180, 180), st.floats(0.1, 20), st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
def test_angle_survives_rotation_scale_and_translation(left, right, degrees, scale, shift):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    moved = scale * standing(left, right) @ np.array([[c, s], [-s, c]]) + shift
    assert varus(moved) == pytest.approx([left, right], abs=1e-6)


@given(angle, angle)
def test_mirroring_the_image_swaps_the_legs_and_keeps_the_sign(left, right):
    mirrored = (standing(left, right) * [-1, 1])[MIRROR]  # what a network reports of the mirrored photo
    assert varus(mirrored) == pytest.approx([right, left], abs=1e-9)
    seen_from_behind = standing(left, right) * [-1, 1]  # the person's left is now at smaller x
    assert varus(seen_from_behind) == pytest.approx([left, right], abs=1e-9)


def test_a_knee_further_out_is_varus():
    straight = standing(0, 0, abducted=0)
    bowed = straight.copy()
    bowed[13, 0] += 5
    bowed[14, 0] -= 5
    angles = measure_angles(bowed[None])
    assert (angles.varus > 0).all()
    assert angles.medial == pytest.approx(180 - angles.varus)
    assert with_sign(angles.varus, "valgus") == pytest.approx(-angles.varus)
    with pytest.raises(ValueError, match="varus, valgus"):
        with_sign(0, "knees")


def test_vectorised_over_persons_equals_one_by_one():
    rng = np.random.default_rng(0)
    people = rng.normal(0, 100, (50, 17, 2))
    assert varus(people) == pytest.approx(np.array([varus(person) for person in people]))


def test_a_leg_without_a_joint_is_refused_and_the_other_kept():
    scores = ALL_SEEN.copy()
    scores[0, 15] = 0.1
    angles = measure_angles(standing(4, 5)[None], scores)
    assert np.isnan(angles.varus[0, 0])
    assert angles.varus[0, 1] == pytest.approx(5)
    scores[0, 12] = 0  # without one hip the lateral side of the other leg is unknown
    assert np.isnan(measure_angles(standing(4, 5)[None], scores).varus).all()
    assert "right hip" in find_flags(standing(4, 5)[None], scores)[0][0]["unseen"]


def test_a_person_in_profile_has_no_lateral_side():
    points = standing(4, 5)
    points[:, 0] = np.where(np.arange(17) % 2 == 1, 0, points[:, 0])
    points[HIPS] = [[0, 0], [0, 0]]
    assert np.isnan(varus(points)).all()


@pytest.mark.parametrize(("segment", "degrees"), [(40, 2.9), (80, 1.4), (160, 0.72)])
def test_one_pixel_of_knee_error_costs_what_it_should(segment, degrees):
    spread = np.zeros((17, 2, 2))
    spread[KNEES] = np.eye(2)
    points = standing(0, 0, segment, segment)
    assert angle_sd(points, spread) == pytest.approx([degrees, degrees], abs=0.05)


@given(angle, st.integers(0, 1000))
def test_uncertainty_is_what_moving_the_joints_gives(deviation, seed):
    rng = np.random.default_rng(seed)
    points = standing(deviation, -deviation, rng.uniform(60, 200), rng.uniform(60, 200))
    roots = rng.normal(0, 0.4, (17, 2, 2))
    moved = points + np.einsum("kij,nkj->nki", roots, rng.standard_normal((4000, 17, 2)))
    predicted = angle_sd(points, roots @ np.swapaxes(roots, -1, -2))
    assert varus(moved).std(0) == pytest.approx(predicted, rel=0.1)


def test_a_frontal_standing_person_carries_no_flag():
    assert find_flags(standing(3, -3)[None], ALL_SEEN) == [[{}, {}]]


@pytest.mark.parametrize(
    ("flag", "spoil", "reason"),
    [
        ("small", lambda p: p / 3, "1 px of knee error"),
        ("not_frontal", lambda p: p * [0.5, 1], "hips over leg"),
        ("knee_bent", lambda p: _foreshortened_shank(p), "thigh over shank"),
        ("not_standing", lambda p: _bowing(p), "degrees from the trunk"),
        ("knee_bent", lambda p: _kicked(p), "a bend is likelier"),
    ],
)
def test_each_doubt_is_flagged_with_its_reason(flag, spoil, reason):
    found = find_flags(spoil(standing(2, 2))[None], ALL_SEEN)[0][0]
    assert reason in found[flag]


def test_a_vague_angle_is_flagged():
    assert "12 degrees" in find_flags(standing(2, 2)[None], ALL_SEEN, sd=[[12, 1]])[0][0]["uncertain"]
    assert find_flags(standing(2, 2)[None], ALL_SEEN, sd=[[12, 1]])[0][1] == {}


def test_unseen_shoulders_leave_standing_unchecked():
    scores = ALL_SEEN.copy()
    scores[0, 5] = 0
    assert "cannot be checked" in find_flags(standing(2, 2)[None], scores)[0][1]["not_standing"]


def _foreshortened_shank(points):
    points[15] = points[13] + 0.5 * (points[15] - points[13])
    return points


def _kicked(points):
    points[15] = points[13] + [95, 0]
    return points


def _bowing(points):
    points[[5, 6]] = points[HIPS].mean(0) + np.array([[120, -30], [120, 30]])
    return points


def test_segment_lengths_are_thigh_and_shank():
    assert segment_lengths(standing(0, 0, 100, 95)) == pytest.approx(np.array([[100, 95], [100, 95]]))


def test_difference_takes_the_short_way_round():
    assert angle_difference(179, -179) == pytest.approx(-2)


def gaussian(centre: tuple[float, float], spread: np.ndarray, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    offset = np.stack([x - centre[0], y - centre[1]], axis=-1)
    return np.exp(-0.5 * np.einsum("...i,ij,...j->...", offset, np.linalg.inv(spread), offset)).astype(np.float32)


@given(st.floats(8, 40), st.floats(8, 55), st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0, math.pi))
def test_spread_of_a_gaussian_is_recovered_wherever_it_lies(x, y, first, second, turn):
    c, s = math.cos(turn), math.sin(turn)
    extra = np.array([[c, -s], [s, c]]) @ np.diag([first**2, second**2]) @ np.array([[c, s], [-s, c]])
    maps = 0.7 * gaussian((x, y), 4 * np.eye(2) + extra)
    assert covariance_cells(maps[None, None], 2.0)[0, 0] == pytest.approx(extra, abs=0.02)


def test_spread_of_odd_maps_stays_finite():
    maps = np.zeros((4, 64, 48), np.float32)
    maps[1, 0, 0] = 1  # one cell in the corner
    maps[2] = 0.5  # flat
    maps[3] = gaussian((20, 20), np.eye(2))  # narrower than it was taught
    found = covariance_cells(maps, 2.0)
    assert np.isfinite(found).all()
    assert found[3] == pytest.approx(SMALLEST_SD**2 * np.eye(2), abs=1e-6)
    assert np.linalg.eigvalsh(found).min() >= SMALLEST_SD**2 - 1e-9


def test_spread_in_the_image_scales_with_the_crop():
    boxes = [[10, 20, 300, 400]]
    to_image = compose(cell_to_crop("udp"), crop_to_image(boxes, "udp"))
    maps = gaussian((20, 30), 8 * np.eye(2))[None, None]
    pixels_per_cell = to_image[0, 0, 0]
    assert covariance_image(maps, 2.0, to_image)[0, 0, 0, 0] == pytest.approx(4 * pixels_per_cell**2, rel=0.02)
