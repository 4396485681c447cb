"""Poses drawn on photos."""

from pathlib import Path

import numpy as np

from pipeline.report.overlay import draw_pose, unique_names


def test_left_and_right_are_drawn_apart_and_unsure_joints_not_at_all() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    pose = np.zeros((17, 3))
    pose[[5, 7]] = [(20, 20, 1), (20, 80, 1)]  # left arm
    pose[[6, 8]] = [(80, 20, 1), (80, 80, 1)]  # right arm
    pose[9] = (50, 95, 0.1)
    draw_pose(image, pose)
    left, right = image[50, 20].astype(int), image[50, 80].astype(int)
    grey = np.array([0.299, 0.587, 0.114])
    assert left @ grey - right @ grey > 60
    assert (image[90:, 45:55] == 128).all()
    untouched = image.copy()
    draw_pose(image, np.full((17, 3), np.nan))
    np.testing.assert_array_equal(image, untouched)


def test_photos_of_one_name_do_not_overwrite_each_other() -> None:
    names = unique_names([Path("a/1.jpg"), Path("b/1.png"), Path("b/2.jpg")])
    assert list(names.values()) == ["a_1.jpg", "b_1.jpg", "2.jpg"]
