"""The EXIF orientation of image files, and images turned by it.

Orientations are EXIF's: 1 as stored, 2 mirrored, 3 by 180 degrees, 4 upside down, 5 to 8 with height and width
exchanged (EXIF 2.32, tag 0x0112).
"""

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.photos.jpeg import EXIF_NAME, START, jpeg_header

AS_IT_IS = 1
#: orientations from this one on exchange height and width
EXCHANGED = 5
TAG = 0x0112
SHORT = 3
PNG, TIFF, BIG_TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*"), (b"II+\0", b"MM\0+")


def orientation_of(path: str | Path) -> int:
    """Return the EXIF orientation of a file, 1 to 8, of which only the header is read; 1 where it states none."""
    with open(path, "rb") as file:
        if not Path(path).stat().st_size:
            return AS_IT_IS
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return stated_orientation(data)


def stated_orientation(data: bytes | mmap) -> int:
    """Return the EXIF orientation of the content of a JPEG, PNG, WebP or TIFF file; 1 where it states none."""
    if data[:2] == START:
        return orientation_tag(jpeg_header(data).exif)
    if data[:8] == PNG:
        return orientation_tag(_chunk(data, 8, b"eXIf", "big"))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return orientation_tag(_chunk(data, 12, b"EXIF", "little"))
    return orientation_tag(data) if data[:4] in TIFF + BIG_TIFF else AS_IT_IS


def _chunk(data: bytes | mmap, place: int, name: bytes, order: Any) -> bytes:
    """Return the first chunk of that name, of a PNG (length, name, content, crc) or a RIFF file (name, length, ...)."""
    while place + 8 <= len(data):
        first, second = data[place : place + 4], data[place + 4 : place + 8]
        is_png = order == "big"
        length = int.from_bytes(first if is_png else second, order)
        if (second if is_png else first) == name:
            # some writers keep the name that EXIF has in JPEG files
            return bytes(data[place + 8 : place + 8 + length]).removeprefix(EXIF_NAME)
        place += 12 + length if is_png else 8 + length + length % 2
    return b""


def orientation_tag(data: bytes | mmap) -> int:
    """Return the orientation in a TIFF structure; 1 where it is not there, or not one of the eight."""
    order = "<" if data[:2] == b"II" else ">"
    if data[:4] in TIFF:
        offset_format, count_format, entry_size, value_place = "I", "H", 12, 8
        first_offset = 4
    elif data[:4] in BIG_TIFF:
        offset_format, count_format, entry_size, value_place = "Q", "Q", 20, 12
        first_offset = 8
    else:
        return AS_IT_IS
    try:
        (place,) = struct.unpack_from(order + offset_format, data, first_offset)
        (count,) = struct.unpack_from(order + count_format, data, place)
        place += struct.calcsize(count_format)
        for entry in range(place, place + count * entry_size, entry_size):
            tag, kind = struct.unpack_from(order + "HH", data, entry)
            if tag == TAG:
                (value,) = struct.unpack_from(order + ("H" if kind == SHORT else "I"), data, entry + value_place)
                return int(value) if AS_IT_IS <= value <= 8 else AS_IT_IS
    except struct.error:
        # cut off, or no structure at all
        return AS_IT_IS
    return AS_IT_IS


def turned(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a stored image (height, width, C) as its orientation says it is shown."""
    if orientation in (5, 7):
        image = np.asarray(cv2.transpose(image), np.uint8)
    if orientation in (2, 3, 4, 7):
        # 7: the transposed image, turned by 180 degrees
        return np.asarray(cv2.flip(image, {2: 1, 3: -1, 4: 0, 7: -1}[orientation]), np.uint8)
    if orientation in (6, 8):
        direction = cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE
        return np.asarray(cv2.rotate(image, direction), np.uint8)
    return image


def turned_back(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the stored image of one that is shown as its orientation says: the inverse of `turned`."""
    return turned(image, {6: 8, 8: 6}.get(orientation, orientation))
