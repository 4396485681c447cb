"""JPEG files: decoded whole or refused, and what their headers say."""

from mmap import mmap
from typing import Literal, NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

#: RGB, or BGRA with an opaque fourth channel: OpenCV's order, in which it warps, shrinks and encodes without a copy
Channels = Literal[3, 4]
#: of the first marker
START = b"\xff\xd8"
EXIF_NAME = b"Exif\0\0"
# second bytes of markers
FILL, STUFFED, START_OF_SCAN, END, APP1 = 0xFF, 0x00, 0xDA, 0xD9, 0xE1
WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
# start of frame; the other three of these numbers are tables
FRAMES = tuple(number for number in range(0xC0, 0xD0) if number not in (0xC4, 0xC8, 0xCC))


class JpegHeader(NamedTuple):
    """What the segments before the first scan state."""

    #: bits of a value; 0 where no frame is stated
    bits: int
    #: 1 grey, 3 colour, 4 CMYK
    components: int
    #: EXIF data, a TIFF structure; empty where there are none
    exif: bytes


def jpeg_header(data: bytes | mmap) -> JpegHeader:
    """Return what the segments of a JPEG file say, as far as they can be read; `decode_jpeg` refuses damaged ones."""
    bits, components, exif, place = 0, 0, b"", len(START)
    while place + 4 <= len(data) and data[place] == FILL:
        marker = data[place + 1]
        if marker in (START_OF_SCAN, END):
            break
        if marker == FILL or marker in WITHOUT_LENGTH:
            place += 1 if marker == FILL else 2
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        start = place + 4
        if marker in FRAMES and min(end, len(data)) >= start + 6:
            bits, components = data[start], data[start + 5]
        elif marker == APP1 and not exif and data[start : start + len(EXIF_NAME)] == EXIF_NAME:
            exif = bytes(data[start + len(EXIF_NAME) : end])
        place = end
    return JpegHeader(bits, components, exif)


def decode_jpeg(data: bytes, channels: Channels = 3) -> NDArray[np.uint8]:
    """Return the pixels (height, width, channels) of a JPEG file; bytes after its end marker are not looked at.

    Grey becomes three equal channels. CMYK is taken for inverted, as Adobe stores it and all others read it: colour
    times black.
    Raises ValueError with the decoder's message for a file that libjpeg-turbo finds damaged or cannot read.
    """
    header = jpeg_header(data)
    if header.bits not in (0, 8):
        raise ValueError(f"its values have {header.bits} bits: expected 8")
    try:
        # strict: a damage that libjpeg repairs with grey is an error
        if header.components != 4:
            order = "RGB" if channels == 3 else "BGRA"
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace=order, strict=True), np.uint8)
        ink = np.asarray(simplejpeg.decode_jpeg(data, colorspace="CMYK", strict=True), np.uint8)
    except ValueError as error:
        # the decoder knows the usual samplings of colour only, and none of CMYK
        if "subsampling" in str(error) and header.components > 2:
            return with_channels(_decode_unusual_sampling(data), channels)
        raise
    light = ink.astype(np.uint16)
    return with_channels(np.asarray((light[..., :3] * light[..., 3:] + 127) // 255, np.uint8), channels)


def with_channels(image: NDArray[np.uint8], channels: Channels) -> NDArray[np.uint8]:
    """Return an RGB image (height, width, 3) in the order of `channels`."""
    return image if channels == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGRA), np.uint8)


def _decode_unusual_sampling(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a file whose end marker is there; OpenCV tells of no other damage."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or not has_end(data):
        raise ValueError("Premature end of JPEG file")
    return np.asarray(pixels, np.uint8)


def has_end(data: bytes) -> bool:
    """Return whether the markers of a JPEG file lead to its end marker; a thumbnail's end marker is not one of them."""
    place = len(START)
    while 0 <= place <= len(data) - 2:
        marker = data[place + 1]
        if data[place] != FILL:
            return False
        if marker == END:
            return True
        if marker == FILL or marker in WITHOUT_LENGTH:
            place += 1 if marker == FILL else 2
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == START_OF_SCAN:
            place = _end_of_scan(data, place)
    return False


def _end_of_scan(data: bytes, place: int) -> int:
    """Return the place of the first marker that ends the scan at `place`; -1 where there is none."""
    place = data.find(FILL, place)
    while 0 <= place < len(data) - 1:
        following = data[place + 1]
        if following != STUFFED and following not in WITHOUT_LENGTH:
            return place
        place = data.find(FILL, place + 2)
    return -1
