"""A person's crop, stored beside the heatmaps: the part of the photo that any augmented view can show, as a JPEG file.

It is cut along the photo's pixels and not resampled, unless the person is larger than any student will see it: then it
is made smaller. Training composes the matrices of views with the crop's, as it does with a photo.
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


@dataclass(frozen=True, kw_only=True)
class CropPolicy:
    """The part of a photo that is kept of each person, and its quality. Lengths are in sizes of the padded box.

    The defaults of zoom, rotation and shift cover ViTPose's augmentation, and with it every recipe of
    student/augment_recipes.py.
    """

    zoom: float = 1.5  #: of the farthest view
    rotation: float = 80.0  #: degrees, the largest
    shift: float = 0.1  #: of the view's centre
    density: float = 1.25  #: largest number of stored pixels for each pixel of the teacher's crop
    #: of the JPEG, whose colour has full resolution: with half of it, views lose about 4 dB
    quality: int = 90
    input_size: tuple[int, int] = (256, 192)  #: height, width of the teacher's crop, whose aspect the padded box has

    @property
    def coverage(self) -> tuple[float, float]:
        """Height and width of the kept part, in heights and widths of the padded box."""
        height, width = self.input_size
        return (
            self.zoom * widest_extent(height, width, self.rotation) / height + 2 * self.shift,
            self.zoom * widest_extent(width, height, self.rotation) / width + 2 * self.shift,
        )

    @property
    def region(self) -> str:
        """The policy as text, for a store's spec."""
        return (
            f"zoom {self.zoom:g}, rotation {self.rotation:g}, shift {self.shift:g}, "
            f"at most {self.density:g} stored pixels for one of a {self.input_size[0]}x{self.input_size[1]} crop"
        )


class StoredCrop(NamedTuple):
    """A person's crop as a JPEG file, and where its pixels lie in the photo."""

    jpeg: bytes
    pixel_to_image: Matrix  #: (2, 3) from crop pixel to image pixel
    size: tuple[int, int]  #: height, width


def widest_extent(along: float, across: float, rotation: float) -> float:
    """Return the largest extent, along its side `along`, of a rectangle rotated by up to `rotation` degrees."""
    # at this angle its diagonal has the direction of the side
    diagonal = math.atan2(across, along)
    angle = min(math.radians(rotation), diagonal)
    return along * math.cos(angle) + across * math.sin(angle)


def crop_regions(
    boxes_xywh: NDArray[np.float64], image_size: NDArray[np.integer], policy: CropPolicy
) -> NDArray[np.int64]:
    """Return rectangles (N, 4) left, top, right, bottom in whole image pixels, inside photos (N, 2) height, width.

    Left and top are multiples of the photo's JPEG block: encoding it a second time then changes it least.
    """
    centre, size = padded_box(boxes_xywh, policy.input_size)
    half = size * policy.coverage[::-1] / 2
    limit = np.asarray(image_size, np.int64).reshape(-1, 2)[:, ::-1]
    near = np.clip(np.floor(centre - half).astype(np.int64), 0, limit - 1) // JPEG_BLOCK * JPEG_BLOCK
    # 2 more, because bilinear sampling also reads the next pixel
    far = np.clip(np.floor(centre + half).astype(np.int64) + 2, near + 1, limit)
    return np.concatenate([near, far], axis=1)


def encode_crop(image: Image, box_xywh: ArrayLike, policy: CropPolicy) -> StoredCrop:
    """Cut a person out of its photo (height, width, 3) and encode it; box: x, y, width, height in image pixels."""
    boxes = np.asarray(box_xywh, np.float64).reshape(1, 4)
    left, top, right, bottom = crop_regions(boxes, np.array(image.shape[:2]), policy)[0]
    part = image[top:bottom, left:right]
    _, size = padded_box(boxes, policy.input_size)
    shrink = min(1.0, policy.density * policy.input_size[0] / float(size[0, 1]))
    height, width = (max(1, math.floor(side * shrink)) for side in part.shape[:2])
    part = _resized(part, (height, width))
    step = np.array([(right - left) / width, (bottom - top) / height])
    matrix = np.concatenate([np.diag(step), (np.array([left, top]) + (step - 1) / 2)[:, None]], axis=1)
    return StoredCrop(encode_pixels(part, policy.quality), matrix, (height, width))


def encode_pixels(pixels: Image, quality: int) -> bytes:
    """Return pixels (h, w, 3) RGB as a JPEG file whose colour has full resolution."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality, colorspace="RGB", colorsubsampling="444", fastdct=False
    )
    return data


def cut_again(image: Image, pixel_to_image: Matrix, size: tuple[int, int]) -> Image:
    """Return the pixels (h, w, 3) that `encode_crop` encoded, of a photo and the matrix and size of its stored crop."""
    height, width = size
    step = np.diag(pixel_to_image)
    left, top = np.round(pixel_to_image[:, 2] - (step - 1) / 2).astype(int)
    right, bottom = np.round((left, top) + step * (width, height)).astype(int)
    return _resized(image[top:bottom, left:right], size)


def _resized(part: Image, size: tuple[int, int]) -> Image:
    """Return pixels made smaller to (height, width), or as they are."""
    if part.shape[:2] == size:
        return part
    return np.asarray(cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def decode_crop(data: bytes) -> Image:
    """Return the stored crop as pixels (h, w, 3) RGB; ValueError where the bytes are no whole JPEG."""
    pixels: Image = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    return pixels
