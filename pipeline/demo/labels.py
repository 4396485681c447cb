"""What an annotator would write about a scene: boxes, areas, keypoints with visibility, crowds."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS
from pipeline.demo.arithmetic import Floats
from pipeline.demo.scene import Scene

SMALLEST_AREA = 40  # square pixels; who shows less is not labelled
FACE = slice(0, 5)  # nose, eyes and ears are labelled only where they are seen
# How deep under the skin, in metres, a keypoint may lie and still be called visible.
DEPTH_UNDER_SKIN = np.array(
    [0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.12, 0.12, 0.11, 0.11, 0.18, 0.18, 0.12, 0.12, 0.1, 0.1]
)


@dataclass(frozen=True)
class Label:
    """One annotation; a crowd has no keypoints."""

    mask: NDArray[np.bool_]  # (H, W)
    keypoints: Floats  # (17, 3) x, y in pixels (centres at integers), visibility 0, 1 hidden, 2 seen; zeros where 0
    crowd: bool = False

    @property
    def area(self) -> int:
        """Square pixels of the mask."""
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height around the mask."""
        columns, rows = np.flatnonzero(self.mask.any(0)), np.flatnonzero(self.mask.any(1))
        left, top = int(columns[0]), int(rows[0])
        return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def label(scene: Scene) -> dict[int, Label]:
    """Labels of the people that show, by their index in `scene.people`; the crowd, if there is one, is at -1."""
    labels, crowd = {}, np.zeros(scene.owner.shape, bool)
    for number, person in enumerate(scene.people):
        mask = scene.owner == number
        if person.crowd:
            crowd |= mask
        elif mask.sum() >= SMALLEST_AREA:
            labels[number] = Label(mask, _keypoints(scene, number))
    if crowd.sum() >= SMALLEST_AREA:
        labels[-1] = Label(crowd, np.zeros((JOINTS, 3)), crowd=True)
    return labels


def _keypoints(scene: Scene, number: int) -> Floats:
    height, width = scene.owner.shape
    seen = scene.camera.see(scene.people[number].keypoints)
    depth, xy = seen[:, 2], scene.camera.project(seen)
    x, y = xy.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0.1)
    column, row = np.clip(x, 0, width - 1).astype(int), np.clip(y, 0, height - 1).astype(int)
    owner, surface = scene.owner[row, column], scene.depth[row, column]
    under_own_skin = (owner == number) & (depth - surface < DEPTH_UNDER_SKIN)
    beside_body = (owner != number) & (surface > depth)  # a thin limb may miss its own point, and nothing is before it
    visibility = np.where(under_own_skin | beside_body, 2, 1) * inside
    visibility[FACE][visibility[FACE] == 1] = 0
    xy_pixel = xy - 0.5  # the image plane counts pixel edges, annotations count pixel centres
    return np.column_stack([xy_pixel, visibility]) * (visibility > 0)[:, None]


def polygons(mask: NDArray[np.bool_]) -> list[list[float]]:
    """COCO polygons along the outer edge of a mask; holes are filled, as annotators do."""
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [((contour.ravel() + 0.5) / 2).tolist() for contour in contours if len(contour) > 2]


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """COCO's uncompressed run-length encoding: column by column, lengths of 0s and 1s in turn, 0s first."""
    flat = mask.ravel("F").astype(np.int8)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]]))
    return {"counts": counts.tolist(), "size": list(mask.shape)}
