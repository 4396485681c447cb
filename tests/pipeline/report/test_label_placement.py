"""Labels overlap nothing and stay near their points, where there is room."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.label_placement import place_labels
from tests.samples.boxes import overlapping_pairs


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_labels_find_room(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((60, 60), (640, 440), (count, 2))
    boxes = place_labels(points, np.full(count, 5.0), np.full((count, 2), (60.0, 12.0)), (0, 0, 700, 500))
    assert overlapping_pairs(boxes) == 0
    nearest = np.clip(points, boxes[:, :2], boxes[:, 2:])
    assert np.linalg.norm(nearest - points, axis=1).max() < 120


def test_a_label_keeps_away_from_an_obstacle_and_inside_the_picture() -> None:
    point, size = np.array([[80.0, 50.0]]), np.array([[40.0, 10.0]])
    # to the right of the point, where a label goes otherwise, but for the picture's edge
    wall = np.array([[0.0, 0.0, 70.0, 100.0]])
    [box] = place_labels(point, np.array([3.0]), size, (0, 0, 125, 100), wall)
    assert box[0] >= 80
    assert box[2] <= 125
    [box] = place_labels(point, np.array([3.0]), size, (0, 0, 90, 100))
    assert box[2] <= 90


def test_the_same_picture_has_the_same_labels() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (12, 2))
    radii, sizes = np.full(12, 4.0), np.full((12, 2), (30.0, 8.0))
    first, second = (place_labels(points, radii, sizes, (0, 0, 100, 100)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
