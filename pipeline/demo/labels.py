"""Exact labels of a scene: masks, boxes, keypoints with visibility, crowds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import COCO
from pipeline.demo.arithmetic import Floats
from pipeline.demo.canvas import layer_of
from pipeline.demo.scene import Scene

SMALLEST_AREA = 40  # square pixels; persons of whom less is seen are not labelled
FACE = slice(0, 5)  # nose, eyes and ears are labelled only where they are seen
# How deep under the skin, in metres, a keypoint may lie and still be called visible.
DEPTH_UNDER_SKIN = np.array(
    [0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.12, 0.12, 0.11, 0.11, 0.18, 0.18, 0.12, 0.12, 0.1, 0.1]
)


@dataclass(frozen=True)
class Label:
    """One annotation; a crowd has no keypoints."""

    mask: NDArray[np.bool_]  #: (H, W)
    keypoints: Floats  #: (17, 3) x, y in pixels (centres at integers), visibility 0, 1 hidden, 2 seen; zeros where 0
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


def label(scene: Scene) -> dict[int, Label]:
    """Return labels of the people that are seen, by index in `scene.people`; the crowd, if there is one, is at -1."""
    labels, crowd = {}, np.zeros(scene.layer.shape, bool)
    for number, person in enumerate(scene.people):
        mask = scene.layer == layer_of(number)
        if person.crowd:
            crowd |= mask
        elif mask.sum() >= SMALLEST_AREA:
            labels[number] = Label(mask, _keypoints(scene, number))
    if crowd.sum() >= SMALLEST_AREA:
        labels[-1] = Label(crowd, np.zeros((len(COCO), 3)), crowd=True)
    return labels


def _keypoints(scene: Scene, number: int) -> Floats:
    height, width = scene.layer.shape
    seen = scene.camera.see(scene.people[number].keypoints)
    depth, xy = seen[:, 2], scene.camera.project(seen)
    x, y = xy.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0.1)
    column, row = np.clip(x, 0, width - 1).astype(int), np.clip(y, 0, height - 1).astype(int)
    own = scene.layer[row, column] == layer_of(number)
    seen_there = own & (depth - scene.depth[row, column] < DEPTH_UNDER_SKIN)
    visibility = np.where(seen_there, 2, 1) * inside
    visibility[FACE][visibility[FACE] == 1] = 0
    xy_pixel = xy - 0.5  # the image plane counts pixel edges, annotations count pixel centres
    return np.where((visibility > 0)[:, None], np.column_stack([xy_pixel, visibility]), 0)
