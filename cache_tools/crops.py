"""A person's crop as stored beside the heatmaps: the part of the photo that any augmented view can show, as JPEG bytes.

It is cut along the photo's own pixels, so its content is the photo's, not an interpolation of it. It is made smaller
only where the person is larger than any student will see it, and never larger. Whoever trains composes matrices as with
a photo.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import ArrayLike, NDArray

from cache_tools.geometry import Matrix, padded_box
from cache_tools.images import Image

JPEG_BLOCK = 8  # pixels


@dataclass(frozen=True)
class CropPolicy:
    """Which part of a photo is kept of each person, and how well. Lengths are in sizes of the padded box.

    The defaults of the first three cover ViTPose's augmentation, and so every recipe of student/augment.py.
    """

    zoom: float = 1.5  # the farthest zoom-out
    rotation: float = 80.0  # degrees, the largest
    shift: float = 0.1  # of the view's centre
    density: float = 1.25  # stored pixels for each pixel of the teacher's crop, at most
    quality: int = 90  # of the JPEG, whose colour has full resolution: at half, views lose about 4 dB
    input_size: tuple[int, int] = (256, 192)  # of the teacher's crop: the padded box has its aspect

    @property
    def reach(self) -> tuple[float, float]:
        """Height and width of the rectangle, in heights and widths of the padded box."""
        height, width = self.input_size
        return (
            self.zoom * widest(height, width, self.rotation) / height + 2 * self.shift,
            self.zoom * widest(width, height, self.rotation) / width + 2 * self.shift,
        )

    @property
    def canvas_size(self) -> tuple[int, int]:
        """(height, width) that every stored crop fits in."""
        down, across = self.reach
        height, width = self.input_size
        more = JPEG_BLOCK + 1  # see `regions`
        return math.ceil(self.density * height * down) + more, math.ceil(self.density * width * across) + more

    @property
    def region(self) -> str:
        """The policy in words and numbers, as it stands in a store's spec."""
        return (
            f"zoom {self.zoom:g}, rotation {self.rotation:g}, shift {self.shift:g}, "
            f"at most {self.density:g} stored pixels for one of a {self.input_size[0]}x{self.input_size[1]} crop"
        )


class StoredCrop(NamedTuple):
    """A person's crop as a JPEG file, and where its pixels lie in the photo."""

    jpeg: bytes
    pixel_to_image: Matrix  #: (2, 3) from crop pixel to image pixel
    size: tuple[int, int]  #: height, width


def widest(along: float, across: float, rotation: float) -> float:
    """Longest extent of a rectangle in the direction of its side `along`, when turned by up to `rotation` degrees."""
    turn = min(math.radians(rotation), math.atan2(across, along))  # the diagonal lies in that direction there
    return along * math.cos(turn) + across * math.sin(turn)


def regions(boxes_xywh: NDArray[np.float64], image_size: NDArray[np.integer], policy: CropPolicy) -> NDArray[np.int64]:
    """Rectangles (N, 4) left, top, right, bottom in whole image pixels, inside photos of sizes (N, 2) height, width.

    Left and top lie between the photo's own JPEG blocks: coding it a second time then changes it least.
    """
    centre, size = padded_box(boxes_xywh, policy.input_size)
    half = size * policy.reach[::-1] / 2
    inside = np.asarray(image_size, np.int64).reshape(-1, 2)[:, ::-1]
    near = np.clip(np.floor(centre - half).astype(np.int64), 0, inside - 1) // JPEG_BLOCK * JPEG_BLOCK
    far = np.clip(np.floor(centre + half).astype(np.int64) + 2, near + 1, inside)  # with bilinear sampling's next pixel
    return np.concatenate([near, far], axis=1)


def encode_crop(image: Image, box_xywh: ArrayLike, policy: CropPolicy) -> StoredCrop:
    """Cut a person out of its photo (height, width, 3) and encode it; box: x, y, width, height in image pixels."""
    boxes = np.asarray(box_xywh, np.float64).reshape(1, 4)
    left, top, right, bottom = regions(boxes, np.array(image.shape[:2]), policy)[0]
    part = image[top:bottom, left:right]
    _, size = padded_box(boxes, policy.input_size)
    shrink = min(1.0, policy.density * policy.input_size[0] / float(size[0, 1]))
    height, width = (max(1, math.floor(side * shrink)) for side in part.shape[:2])
    if (height, width) != part.shape[:2]:
        part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    step = np.array([(right - left) / width, (bottom - top) / height])
    matrix = np.concatenate([np.diag(step), (np.array([left, top]) + (step - 1) / 2)[:, None]], axis=1)
    pixels = np.ascontiguousarray(part)
    data = simplejpeg.encode_jpeg(pixels, policy.quality, colorspace="RGB", colorsubsampling="444", fastdct=False)
    return StoredCrop(data, matrix, (height, width))


def decode_crop(data: bytes) -> Image:
    """Return the stored crop as pixels (h, w, 3) RGB; ValueError where the bytes are no whole JPEG."""
    return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
