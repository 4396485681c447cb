"""Poses drawn on photos."""

from pathlib import Path

import numpy as np
import pytest

from cache_tools.images import read_image
from cache_tools.skeletons import COCO
from pipeline.report.overlay import draw_pose, picture_names, write_picture, write_pose_overlays


def test_left_and_right_are_drawn_apart_and_unsure_joints_not_at_all() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    pose = np.zeros((17, 3))
    left_arm, right_arm = [5, 7], [6, 8]
    pose[left_arm] = [(20, 20, 1), (20, 80, 1)]
    pose[right_arm] = [(80, 20, 1), (80, 80, 1)]
    pose[9] = (50, 95, 0.1)
    draw_pose(image, pose, COCO)
    left, right = image[50, 20].astype(int), image[50, 80].astype(int)
    grey = np.array([0.299, 0.587, 0.114])
    assert left @ grey - right @ grey > 60
    assert (image[90:, 45:55] == 128).all()
    untouched = image.copy()
    draw_pose(image, np.full((17, 3), np.nan), COCO)
    np.testing.assert_array_equal(image, untouched)


def test_each_photo_is_written_once_with_all_its_poses(tmp_path: Path) -> None:
    photos = []
    for name, shade in (("1.png", 100), ("2.png", 60)):
        write_picture(tmp_path / name, np.full((100, 100, 3), shade, np.uint8))
        photos.append(tmp_path / name)
    poses = np.zeros((3, 17, 3))
    poses[:, 5], poses[:, 7] = (20, 20, 1), (20, 80, 1)
    poses[2, :, 0] += 60
    shown = [photos[0], photos[1], photos[0]]
    written = write_pose_overlays(tmp_path / "drawn", shown, poses, COCO, names=[photo.name for photo in shown])
    assert [path.name for path in written] == ["1.jpg", "2.jpg"]
    first, second = (read_image(path)[50].astype(int) for path in written)
    assert (np.abs(first[[20, 80]] - 100).max(-1) > 60).all()
    assert (np.abs(second[[20, 80]] - 60).max(-1) > 60).tolist() == [True, False]


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x.xyz: expected a name that ends in .jpg, .jpeg, .png"):
        write_picture(tmp_path / "x.xyz", np.zeros((4, 4, 3), np.uint8))
    write_picture(tmp_path / "x.JPG", np.zeros((4, 4, 3), np.uint8))
    assert read_image(tmp_path / "x.JPG").shape == (4, 4, 3)


def test_photos_of_one_name_do_not_overwrite_each_other() -> None:
    def named(*paths: str) -> list[str]:
        return list(picture_names({Path("/photos", path): path for path in paths}).values())

    assert named("a/1.jpg", "b/1.png", "b/2.jpg") == ["a_1.jpg", "b_1.jpg", "2.jpg"]
    assert named("x/a/1.jpg", "y/a/1.jpg") == ["x_a_1.jpg", "y_a_1.jpg"]
    assert named("1.jpg", "1.png", "2.jpg") == ["1.jpg.jpg", "1.png.jpg", "2.jpg"]
    awkward = ("a/b_c.jpg", "a_b/c.jpg", "a/b/c.jpg", "a_b_c.jpg", "a_b_c.png")
    assert len(set(named(*awkward))) == len(awkward)
