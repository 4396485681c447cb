"""Exact labels of a scene: masks, boxes, keypoints with visibility, crowds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import Skeleton
from pipeline.demo.arithmetic import Floats
from pipeline.demo.body_joints import BodyJoints, body_joints
from pipeline.demo.canvas import layer_of
from pipeline.demo.scene import Scene

SMALLEST_AREA = 40  # square pixels; persons of whom less is seen are not labelled


@dataclass(frozen=True)
class Label:
    """One annotation; a crowd has no keypoints."""

    mask: NDArray[np.bool_]  #: (H, W)
    keypoints: Floats  #: (K, 3) x, y in pixels (centres at integers), visibility 0, 1 hidden, 2 seen; zeros where 0
    crowd: bool = False

    @property
    def area(self) -> int:
        """Square pixels of the mask."""
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width, height of the box around the mask."""
        columns, rows = np.flatnonzero(self.mask.any(0)), np.flatnonzero(self.mask.any(1))
        left, top = int(columns[0]), int(rows[0])
        return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def label(scene: Scene, skeleton: Skeleton) -> dict[int, Label]:
    """Return labels of the people that are seen, by index in `scene.people`; the crowd, if there is one, is at -1.

    Raises ValueError where rendered people do not have one of the skeleton's joints (body_joints.py).
    """
    joints = body_joints(skeleton)
    labels, crowd = {}, np.zeros(scene.layer.shape, bool)
    for number, person in enumerate(scene.people):
        mask = scene.layer == layer_of(number)
        if person.crowd:
            crowd |= mask
        elif mask.sum() >= SMALLEST_AREA:
            labels[number] = Label(mask, _keypoints(scene, number, joints))
    if crowd.sum() >= SMALLEST_AREA:
        labels[-1] = Label(crowd, np.zeros((len(skeleton), 3)), crowd=True)
    return labels


def _keypoints(scene: Scene, number: int, joints: BodyJoints) -> Floats:
    height, width = scene.layer.shape
    seen = scene.camera.see(joints.of_person(scene.people[number]))
    depth, xy = seen[:, 2], scene.camera.project(seen)
    x, y = xy.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0.1)
    column, row = np.clip(x, 0, width - 1).astype(int), np.clip(y, 0, height - 1).astype(int)
    own = scene.layer[row, column] == layer_of(number)
    seen_there = own & (depth - scene.depth[row, column] < joints.depth_under_skin)
    visibility = np.where(seen_there, 2, 1) * inside
    visibility[joints.of_face & (visibility == 1)] = 0
    xy_pixel = to_pixels(xy)
    return np.where((visibility > 0)[:, None], np.column_stack([xy_pixel, visibility]), 0)


def to_pixels(image_plane: Floats) -> Floats:
    """Return points (..., 2) of a camera's image plane, which counts pixel edges, as annotations count: by centres."""
    return image_plane - 0.5
