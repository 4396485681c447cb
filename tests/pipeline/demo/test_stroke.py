"""Thick lines: nearly those of OpenCV, which are others in each of its versions."""

import cv2
import numpy as np
import pytest

from pipeline.demo.stroke import draw_stroke


@pytest.mark.parametrize("thickness", [1, 2, 5, 8, 15])
def test_strokes_are_nearly_those_of_opencv(thickness: int) -> None:
    rng = np.random.default_rng(thickness)
    for _ in range(20):
        points = [(int(x), int(y)) for x, y in rng.integers(10, 110, (4, 2))]
        ours, theirs = np.zeros((2, 120, 160), np.uint8)
        draw_stroke(ours, points, 255, thickness)
        cv2.polylines(theirs, [np.array(points, np.int32)], False, 255, thickness)
        one_pixel = np.ones((3, 3), np.uint8)
        assert (ours <= cv2.dilate(theirs, one_pixel)).all()
        assert (theirs <= cv2.dilate(ours, one_pixel)).all()
        assert np.count_nonzero(ours) == pytest.approx(np.count_nonzero(theirs), rel=0.1)


def test_a_point_is_a_disc() -> None:
    picture = np.zeros((9, 9), np.uint8)
    draw_stroke(picture, [(4, 4), (4, 4)], 1, 4)
    assert picture.sum() == 13
