"""Affine matrices between image, crop and heatmap: where a heatmap cell lies in the image.

A matrix is (..., 2, 3) float64 and is named `source_to_destination`; points are (x, y) in pixels with pixel centres at
integers. Sizes are (height, width), as in "256x192". Two frames exist, and mixing them costs about 2 AP:

- `udp`: a map of n cells spans n - 1 unit steps: the first cell is the first crop pixel and the last cell the last one.
  Huang et al., "The Devil is in the Details", CVPR 2020; ViTPose's `get_warp_matrix`.
- `stride`: cell (i, j) is crop pixel (stride * i, stride * j), and the crop maps the box onto `width` steps.
  SimpleBaselines, HRNet, TinyPose.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Frame = Literal["udp", "stride"]
FRAMES: tuple[str, ...] = get_args(Frame)
# ViTPose, HRNet and SimpleBaselines all show the box a quarter larger.
PADDING = 1.25
Matrix = NDArray[np.float64]


def padded_box(boxes_xywh: ArrayLike, input_size: tuple[int, int], padding: float = PADDING) -> tuple[Matrix, Matrix]:
    """Return centre and size, (N, 2) x, y in image pixels, of boxes grown to the crop's aspect, then padded."""
    boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
    height, width = input_size
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    tall = np.maximum(boxes[:, 3], boxes[:, 2] * height / width)
    return centre, np.stack([tall * width / height, tall], axis=1) * padding


def crop_to_image(
    boxes_xywh: ArrayLike, frame: str = "udp", input_size: tuple[int, int] = (256, 192), padding: float = PADDING
) -> Matrix:
    """Return the matrix (N, 2, 3) from crop pixel to image pixel of each box (x, y, width, height)."""
    centre, size = padded_box(boxes_xywh, input_size, padding)
    width_height = np.array(input_size[::-1], np.float64)
    steps = width_height - 1 if frame_of(frame) == "udp" else width_height
    matrices = np.zeros((len(centre), 2, 3))
    matrices[:, [0, 1], [0, 1]] = size / steps
    matrices[:, :, 2] = centre - size / 2
    return matrices


def cell_to_crop(
    frame: str, input_size: tuple[int, int] = (256, 192), heatmap_size: tuple[int, int] = (64, 48)
) -> Matrix:
    """Return the matrix (2, 3) from heatmap cell to crop pixel."""
    crop, cells = np.array(input_size[::-1], np.float64), np.array(heatmap_size[::-1], np.float64)
    step = (crop - 1) / (cells - 1) if frame_of(frame) == "udp" else crop / cells
    return np.concatenate([np.diag(step), np.zeros((2, 1))], axis=1)


def frame_of(name: str) -> str:
    """Return `name`; ValueError when it is not the name of a frame."""
    if name not in FRAMES:
        raise ValueError(f"unknown frame {name!r}: expected one of {', '.join(FRAMES)}")
    return name


def compose(first: ArrayLike, *then: ArrayLike) -> Matrix:
    """Return the matrix that applies `first`, then each of `then` in order; leading dimensions broadcast."""
    total = np.asarray(first, np.float64)
    for matrix in then:
        m = np.asarray(matrix, np.float64)
        linear, shift = m[..., :2] @ total[..., :2], m[..., :2] @ total[..., 2:] + m[..., 2:]
        total = np.concatenate([linear, shift], axis=-1)
    return total


def invert(matrix: ArrayLike) -> Matrix:
    """Return the inverse of each matrix (..., 2, 3)."""
    m = np.asarray(matrix, np.float64)
    linear = np.linalg.inv(m[..., :2])
    return np.concatenate([linear, -linear @ m[..., 2:]], axis=-1)


def apply(matrix: ArrayLike, xy: ArrayLike) -> Matrix:
    """Return points (..., P, 2) mapped by matrices (..., 2, 3)."""
    m = np.asarray(matrix, np.float64)
    return np.asarray(xy, np.float64) @ np.swapaxes(m[..., :2], -1, -2) + m[..., None, :, 2]


def mirror_matrix(width: int) -> Matrix:
    """Return the matrix (2, 3) that mirrors a row of `width` pixels, x -> width - 1 - x; it is its own inverse."""
    return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])
