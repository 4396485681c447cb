"""Read photos and cut crops: the only place where pixels are read and resampled on the CPU."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply
from cache_tools.photos.decode import decode_photo
from cache_tools.photos.jpeg import Channels
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.photos.orientation import EXCHANGED, stated_orientation, turned

Image = NDArray[np.uint8]  # (height, width, 3) RGB; where a function says so, (height, width, 4) BGRA
HALVED_FROM = 4  #: image pixels that a crop pixel covers on each side, from which on the image is first halved


def read_image(
    path: str | Path,
    size: tuple[int, int] | None = None,
    options: PhotoOptions = AS_STORED,
    channels: Channels = 3,
) -> Image:
    """Read a photo as stored, without its EXIF orientation, because COCO's annotations are in stored pixels.

    size: the (height, width) that the annotations state; ValueError when the file has another.
    options: turn the photo by its EXIF orientation, which is how people and phones show it; how 16 bits become 8.
    channels: 3 RGB, or 4 BGRA, from which several crops are cut and encoded faster.
    Raises FileNotFoundError when there is no such file, ValueError when it cannot be decoded whole.
    """
    return image_of(Path(path).read_bytes(), path, size, options, channels)


def image_of(
    data: bytes,
    path: str | Path,
    size: tuple[int, int] | None = None,
    options: PhotoOptions = AS_STORED,
    channels: Channels = 3,
) -> Image:
    """Return the photo in the content of a file, as `read_image` does; `path` is what errors call it."""
    try:
        image = decode_photo(data, options.depth, channels)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    if options.exif:
        image = turned(image, stated_orientation(data))
    if size is not None and image.shape[:2] != tuple(size):
        raise ValueError(_other_size(path, image, size, stated_orientation(data), turns=bool(options.exif)))
    return image


def _other_size(path: str | Path, image: Image, size: tuple[int, int], orientation: int, *, turns: bool) -> str:
    """Return the error of an image that has another size than `size`, and what to do about it."""
    text = f"{path} is {image.shape[0]}x{image.shape[1]} pixels, its annotations say {size[0]}x{size[1]}"
    if orientation < EXCHANGED or image.shape[1::-1] != tuple(size):
        return text
    if turns:
        return f"{text}, as it is stored, before its EXIF orientation {orientation} turns it: give --no-exif"
    return f"{text}, as it is when its EXIF orientation {orientation} turns it: give --exif"


def cut(image: Image, crop_to_image: Matrix, size: tuple[int, int], out: Image | None = None) -> Image:
    """Return the crop (height, width, 3) whose pixel p shows image pixel `crop_to_image @ p`: bilinear, black outside.

    Where a crop pixel covers HALVED_FROM or more image pixels a side, the image is first halved, several times, to the
    mean of its pixels: bilinear interpolation looks at two pixels a side, and noise and edges of a phone's photo would
    alias. Below, pose networks are trained on crops as they are cut here, and COCO's photos stay below for 256x192.

    image: RGB, or BGRA, of which OpenCV cuts in half the time; the crops are the same, RGB.
    out: array for the crop, uint8 and contiguous; ValueError where it does not fit.
    """
    out = np.empty((*size, 3), np.uint8) if out is None else out
    # OpenCV would leave it as it is, without an error
    if out.shape != (*size, 3) or out.dtype != np.uint8:
        raise ValueError(f"out is {out.shape} {out.dtype}: expected {(*size, 3)} uint8")
    factor = shrink_factor(crop_to_image)
    if factor > 1:
        image, crop_to_image = _shrunk(image, crop_to_image, size, factor)
    # OpenCV would otherwise invert the matrix first
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if image.shape[2] == 3:
        cv2.warpAffine(image, crop_to_image, size[::-1], dst=out, flags=flags)
    else:
        cv2.cvtColor(cv2.warpAffine(image, crop_to_image, size[::-1], flags=flags), cv2.COLOR_BGRA2RGB, dst=out)
    return out


def shrink_factor(crop_to_image: Matrix) -> int:
    """Return the power of two up to the image pixels of a crop pixel, a side; 1 where it is below HALVED_FROM."""
    (a, b, _), (c, d, _) = np.asarray(crop_to_image).tolist()
    step = math.sqrt(abs(a * d - b * c))
    # the small part makes it 4 where rounding made a step of 4 a little smaller
    factor = int(2 ** max(0, math.floor(math.log2(max(step, 1)) + 1e-6)))
    return factor if factor >= HALVED_FROM else 1


def _shrunk(image: Image, crop_to_image: Matrix, size: tuple[int, int], factor: int) -> tuple[Image, Matrix]:
    """Return the part of an image that a crop shows, smaller by `factor`, and the matrix from crop pixel to its pixel.

    Its pixels are means of blocks of `factor` x `factor` pixels, which begin at the image's first pixel.
    """
    height, width = size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    seen = apply(crop_to_image, corners)  # (4, 2)
    blocks = -(-np.array(image.shape[1::-1]) // factor)
    # one block more on each side, which bilinear interpolation looks at
    first = np.clip(np.floor(seen.min(0) / factor).astype(int) - 1, 0, blocks - 1)
    last = np.clip(np.ceil(seen.max(0) / factor).astype(int) + 1, first, blocks - 1)
    (left, top), (right, bottom) = first * factor, (last + 1) * factor
    part = image[top:bottom, left:right]
    missing = bottom - top - part.shape[0], right - left - part.shape[1]
    if any(missing):
        # of the last blocks; black is what is outside the image
        part = np.asarray(cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT), np.uint8)
    for _ in range(factor.bit_length() - 1):
        # four pixels' mean with halves rounded up; other factors at once take OpenCV three times as long
        part = np.asarray(cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    matrix = np.array(crop_to_image, np.float64)
    matrix[:, 2] -= first * factor + (factor - 1) / 2
    return part, matrix / factor
