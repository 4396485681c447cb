"""Legs drawn on their photo: where lines, ellipses and labels are."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cache_tools.images import Image
from pipeline.hka.joints import Joints
from pipeline.hka.overlay import DrawnLeg, leg_picture
from pipeline.hka.table import leg_rows
from tests.samples.standing_legs import standing_joints

GREY = np.full((640, 480, 3), 90, np.uint8)


def drawn_legs(spread: float = 4.0, **scores: float) -> list[DrawnLeg]:
    """Return both legs of a person in the middle of a picture of 480 x 640; scores are by joint number, as j15=0.1."""
    points = standing_joints(15, 5) + np.array([240, 300])
    joints = Joints(xy=points[None], score=np.ones((1, 17)), covariance=np.full((1, 17, 2, 2), spread) * np.eye(2))
    for joint, score in scores.items():
        joints.score[0, int(joint[1:])] = score
    box = np.array([100.0, 100.0, 280.0, 450.0])
    return [
        DrawnLeg(row=row, joints=points[numbers], covariance=joints.covariance[0, numbers], box=box)
        for row, numbers in zip(leg_rows(["a.jpg"], joints), ([11, 13, 15], [12, 14, 16]), strict=True)
    ]


def near(picture: Image, xy: NDArray[np.float64], colour: tuple[int, int, int], radius: int = 2) -> bool:
    """Return whether a pixel of about a colour is within a few pixels of a place."""
    x, y = np.round(xy).astype(int)
    window = picture[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(int)
    return bool((np.abs(window - colour).max(-1) < 40).any())


def test_the_photo_is_left_as_it_is_beside_the_legs() -> None:
    picture = leg_picture(GREY, [], ["One.", "Two."])
    assert picture.shape[1] == 480
    np.testing.assert_array_equal(picture[:640], GREY)
    strip = picture[640:]
    assert strip.shape[0] > 40
    assert (strip[0] == 0).all()
    assert strip.max() == 255


def test_each_leg_has_its_colour_and_the_hip_ankle_line() -> None:
    legs = drawn_legs()
    picture = leg_picture(GREY, legs, [])
    for leg, colour in zip(legs, ((255, 190, 30), (20, 70, 200)), strict=True):
        hip, knee, ankle = leg.joints
        assert near(picture, (hip + knee) / 2, colour)
        assert near(picture, (knee + ankle) / 2, colour)
    left = legs[0].joints
    dashes = [near(picture, left[0] + t * (left[2] - left[0]), (255, 255, 255), 1) for t in np.linspace(0.3, 0.7, 40)]
    assert 0.2 < np.mean(dashes) < 0.9


@pytest.mark.parametrize("spread", [9.0, 100.0])
def test_ellipses_show_two_standard_deviations(spread: float) -> None:
    [left, _] = drawn_legs(spread)
    picture = leg_picture(GREY, [left], [])
    # above the hip nothing else is drawn
    column = picture[: int(left.joints[0, 1]), round(left.joints[0, 0])].astype(int)
    rows = np.flatnonzero(np.abs(column - 90).max(-1) > 60)
    assert left.joints[0, 1] - rows.min() == pytest.approx(2 * np.sqrt(spread), abs=3)


def test_a_refused_leg_is_not_drawn_and_its_reason_is_written() -> None:
    legs = drawn_legs(j15=0.1)
    picture = leg_picture(GREY, legs, [])
    left, right = legs
    assert not near(picture, (left.joints[0] + left.joints[1]) / 2, (255, 190, 30))
    assert near(picture, (right.joints[0] + right.joints[1]) / 2, (20, 70, 200))
    assert (picture[400:, :240] == 0).all(-1).sum() > 500


def test_labels_of_many_persons_cover_no_leg() -> None:
    [left, right] = drawn_legs()
    crowd = [
        replace(leg, joints=leg.joints * 0.6 + (shift - 90, 60), box=leg.box * 0.6)
        for shift in (0, 110, 220)
        for leg in (left, right)
    ]
    picture = leg_picture(GREY, crowd, [])
    for leg in crowd:
        colour = (255, 190, 30) if leg.row.side == "left" else (20, 70, 200)
        along = [leg.joints[0] + t * (leg.joints[1] - leg.joints[0]) for t in np.linspace(0.1, 0.9, 9)]
        assert all(near(picture, point, colour) for point in along)


@pytest.mark.parametrize("letters", [90, 100, 110, 140])
def test_a_long_sentence_is_smaller_and_not_cut(letters: int) -> None:
    long = "coco, hip-knee-ankle angle of COCO's points, varus positive, " + 30 * "calibrated "
    sentence = long[: letters - 1] + "I"
    strip = leg_picture(np.full((640, 640, 3), 90, np.uint8), [], [sentence])[640:]
    written = np.flatnonzero((strip > 128).any((0, 2)))
    assert written.min() >= 5
    # its last letter is there, with the margin behind it
    assert 500 < written.max() <= 640 - 5
