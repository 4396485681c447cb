"""The content of image files as 8-bit RGB, each conversion as docs/how-to/photos.md states it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.photos.jpeg import START, Channels, decode_jpeg, with_channels
from cache_tools.photos.orientation import BIG_TIFF, TIFF, stated_orientation, turned_back


def decode_photo(data: bytes, depth: int | None = None, channels: Channels = 3) -> NDArray[np.uint8]:
    """Return the pixels (height, width, channels) that an image file stores, not turned by its EXIF orientation.

    depth: bits used of each value of 16-bit images, as PhotoOptions has it. channels: 3 RGB, 4 BGRA.
    Raises ValueError that says what is wrong with the file.
    """
    if data[:2] == START:
        try:
            return decode_jpeg(data, channels)
        except ValueError as error:
            raise ValueError(f"is a damaged JPEG file of {len(data)} bytes ({error}): fetch it again") from None
    # not IMREAD_COLOR_RGB: OpenCV 5.0 makes noise of 16-bit colour TIFF files with it
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if pixels is None:
        raise ValueError(f"is not an image that OpenCV reads ({len(data)} bytes), or a damaged one: fetch it again")
    image = np.asarray(cv2.cvtColor(eight_bits(pixels, depth), cv2.COLOR_BGR2RGB), np.uint8)
    # OpenCV turns these files whatever its flags say
    image = turned_back(image, stated_orientation(data)) if data[:4] in TIFF + BIG_TIFF else image
    return with_channels(image, channels)


def eight_bits(pixels: NDArray[Any], depth: int | None) -> NDArray[np.uint8]:
    """Return pixels with values of 8 bits: those of 16 bits times 255 / (2^depth - 1), rounded.

    Raises ValueError for 16 bits where no depth is given or where the values have more bits, and for other types.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype != np.uint16:
        raise ValueError(f"has values of {pixels.dtype}: expected 8 bits, or 16 with --depth; convert it")
    largest = int(pixels.max())
    found = f"has 16 bits a value, the largest of which is {largest}"
    if depth is None:
        raise ValueError(f"{found}: state how many bits are used, as in --depth 12 or --depth 16, or convert it")
    if largest >= 2**depth:
        raise ValueError(f"{found}: expected less than {2**depth}, as of --depth {depth}; state its own depth")
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=255 / (2**depth - 1)), np.uint8)
