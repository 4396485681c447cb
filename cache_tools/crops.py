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
from cache_tools.photos.jpeg_parts import BLOCK, encode_with_restarts

#: how pixels of a photo become a crop's file. 1: made smaller to the mean of each pixel's area (cv2.INTER_AREA), no
#: restart markers. 2: made smaller by the largest whole factor to means, then bilinearly; restart markers.
FIRST_ENCODING, ENCODING = 1, 2


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
    encoding: int = ENCODING
    input_size: tuple[int, int] = (256, 192)  #: height, width of the teacher's crop, whose aspect the padded box has

    def __post_init__(self) -> None:
        """Raise ValueError for an encoding that this kdcache does not know."""
        _check_encoding(self.encoding)

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


class CropPlan(NamedTuple):
    """Where the crops of N persons lie in their photos, and how large they are stored."""

    #: (N, 4) left, top, right, bottom in whole image pixels
    regions: NDArray[np.int64]
    #: (N, 2) height, width
    sizes: NDArray[np.int64]
    #: (N, 2, 3) from crop pixel to image pixel
    pixel_to_image: Matrix


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
    near = np.clip(np.floor(centre - half).astype(np.int64), 0, limit - 1) // BLOCK * BLOCK
    # 2 more, because bilinear sampling also reads the next pixel
    far = np.clip(np.floor(centre + half).astype(np.int64) + 2, near + 1, limit)
    return np.concatenate([near, far], axis=1)


def plan_crops(boxes_xywh: ArrayLike, image_size: NDArray[np.integer], policy: CropPolicy) -> CropPlan:
    """Return the plan for persons with boxes (N, 4) x, y, width, height in photos of (N, 2) height, width."""
    boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
    regions = crop_regions(boxes, image_size, policy)
    sides = regions[:, 2:] - regions[:, :2]
    _, padded = padded_box(boxes, policy.input_size)
    shrink = np.minimum(1, policy.density * policy.input_size[0] / padded[:, 1:])
    stored = np.maximum(1, np.floor(sides * shrink)).astype(np.int64)
    steps = sides / stored
    matrices = np.zeros((len(boxes), 2, 3))
    matrices[:, [0, 1], [0, 1]] = steps
    matrices[:, :, 2] = regions[:, :2] + (steps - 1) / 2
    return CropPlan(regions, stored[:, ::-1], matrices)


def encode_crop(image: Image, box_xywh: ArrayLike, policy: CropPolicy) -> StoredCrop:
    """Cut a person out of its photo, RGB or BGRA, and encode it; box: x, y, width, height in image pixels."""
    return encode_planned(image, plan_crops(box_xywh, np.array(image.shape[:2]), policy), 0, policy)


def encode_planned(image: Image, plan: CropPlan, index: int, policy: CropPolicy) -> StoredCrop:
    """Cut the person at an index of a plan out of its photo, RGB or BGRA, and encode it."""
    left, top, right, bottom = plan.regions[index].tolist()
    height, width = plan.sizes[index].tolist()
    part = _resized(image[top:bottom, left:right], (height, width), policy.encoding)
    jpeg = encode_pixels(part, policy.quality, policy.encoding)
    return StoredCrop(jpeg, plan.pixel_to_image[index], (height, width))


def encode_pixels(pixels: Image, quality: int, encoding: int = ENCODING) -> bytes:
    """Return pixels, RGB or BGRA, as a JPEG file whose colour has full resolution."""
    _check_encoding(encoding)
    if encoding != FIRST_ENCODING:
        return encode_with_restarts(pixels, quality)
    order = "RGB" if pixels.shape[2] == 3 else "BGRA"
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality, colorspace=order, colorsubsampling="444", fastdct=False
    )
    return data


def cut_again(image: Image, pixel_to_image: Matrix, size: tuple[int, int], encoding: int = ENCODING) -> Image:
    """Return the pixels that `encode_crop` encoded, of a photo and the matrix and size of its stored crop."""
    height, width = size
    step = np.diag(pixel_to_image)
    left, top = np.round(pixel_to_image[:, 2] - (step - 1) / 2).astype(int)
    right, bottom = np.round((left, top) + step * (width, height)).astype(int)
    return _resized(image[top:bottom, left:right], size, encoding)


def _resized(part: Image, size: tuple[int, int], encoding: int) -> Image:
    """Return pixels made smaller to (height, width), or as they are."""
    (height, width), (stored_height, stored_width) = part.shape[:2], size
    if (height, width) == size:
        return part
    if encoding == FIRST_ENCODING:
        return np.asarray(cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    # Means by factors that are not whole take OpenCV five times as long as bilinear pixels, which are as near to the
    # photo's views. Bilinear pixels of a step of two or more would alias.
    factor = min(height // stored_height, width // stored_width)
    if factor > 1:
        means = -(-width // factor), -(-height // factor)
        part = np.asarray(cv2.resize(part, means, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(part, size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _check_encoding(encoding: int) -> None:
    if not FIRST_ENCODING <= encoding <= ENCODING:
        raise ValueError(
            f"crops have encoding {encoding}: expected {FIRST_ENCODING} to {ENCODING}, or the kdcache that wrote them"
        )


def decode_crop(data: bytes) -> Image:
    """Return the stored crop as pixels (h, w, 3) RGB; ValueError where the bytes are no whole JPEG."""
    pixels: Image = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    return pixels
