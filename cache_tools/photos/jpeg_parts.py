"""Parts of a JPEG file: with restart markers, only the bytes that a rectangle of its pixels needs are decoded.

The blocks between two restart markers are coded without those before them (ITU-T T.81, E.1.4). Intervals that divide
each row of blocks are rectangles, and the intervals of a part are a file themselves, with another size in the header
and markers numbered again. Colour of full resolution has no pixel that depends on a neighbouring block: the pixels of a
part are those of the whole, to the bit.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK = 8  # pixels
#: blocks of an interval: more take fewer bytes for markers, fewer take less decoding for the same part
INTERVAL, SHORTEST, LONGEST = 4, 2, 8
# second bytes of markers
FRAME, INTERVAL_LENGTH, START_OF_SCAN, FIRST_RESTART, RESTARTS, END = 0xC0, 0xDD, 0xDA, 0xD0, 8, 0xD9


class JpegPart(NamedTuple):
    """A JPEG file of a rectangle of a larger one."""

    data: bytearray
    #: of the rectangle, in pixels of the larger one
    left: int
    top: int
    width: int
    height: int


class _Header(NamedTuple):
    """What a part needs to know of a file's header."""

    height: int
    width: int
    #: blocks of an interval
    interval: int
    #: place of the height in the file, and of the first byte after the header
    size_at: int
    end: int


def restart_interval(width: int) -> int:
    """Return the blocks between two restart markers of a file of this width in pixels; they divide a row of blocks."""
    blocks = -(-width // BLOCK)
    fitting = [interval for interval in range(SHORTEST, LONGEST + 1) if blocks % interval == 0]
    # else parts are whole rows of blocks
    return min(fitting, key=lambda interval: abs(interval - INTERVAL), default=blocks)


def encode_with_restarts(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return pixels (h, w, 3) RGB or (h, w, 4) BGRA as a JPEG file, colour of full resolution, with restart markers."""
    if pixels.shape[2] == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_RST_INTERVAL, restart_interval(pixels.shape[1]),
    ]  # fmt: skip
    return cv2.imencode(".jpg", pixels, flags)[1].tobytes()


def part_of(data: bytes, left: int, top: int, right: int, bottom: int) -> JpegPart | None:
    """Return the smallest part of a JPEG file that holds a rectangle of its pixels.

    Where the file has BLOCK pixels or more on a side, the part has them on one, too: which fraction of its size
    decoders take is then that of the whole. None where the file has no intervals as `encode_with_restarts` makes them,
    or damaged ones: decoding it whole tells.
    """
    header = _read_header(data)
    if header is None:
        return None
    pixels = BLOCK * header.interval
    first_row, end_row = top // BLOCK, -(-bottom // BLOCK)
    first, end = left // pixels, -(-right // pixels)
    if min(header.height, end_row * BLOCK) - first_row * BLOCK < BLOCK <= header.height:
        first_row -= 1
    elif min(header.width, end * pixels) - first * pixels < BLOCK <= header.width:
        first -= 1
    bounds = _interval_bounds(data, header)
    if bounds is None:
        return None
    in_row = -(-header.width // pixels)
    starts_of_rows = np.arange(first_row, end_row) * in_row
    rows = map(slice, bounds[starts_of_rows + first].tolist(), bounds[starts_of_rows + end].tolist())
    view = memoryview(data)
    part = bytearray().join([view[: header.end], *map(view.__getitem__, rows)])
    width = min(header.width, end * pixels) - first * pixels
    height = min(header.height, end_row * BLOCK) - first_row * BLOCK
    part[header.size_at : header.size_at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    chosen = (starts_of_rows[:, None] + np.arange(first, end)).ravel()
    markers = header.end + np.cumsum(bounds[chosen + 1] - bounds[chosen]) - 1
    writable = np.frombuffer(part, np.uint8)
    writable[markers] = FIRST_RESTART + np.arange(len(markers)) % RESTARTS
    writable[-1] = END
    return JpegPart(part, first * pixels, first_row * BLOCK, width, height)


def _read_header(data: bytes) -> _Header | None:
    """Return the header of a file with restart intervals that divide its rows of blocks, else None."""
    place, height, width, size_at, interval = 2, 0, 0, 0, 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, start = data[place + 1], place + 4
        place += 2 + int.from_bytes(data[place + 2 : start], "big")
        if place > len(data):
            return None
        if FRAME <= marker <= FRAME + 15 and marker not in (0xC4, 0xC8, 0xCC):
            # sequential, 8 bits, with Huffman codes
            if marker != FRAME or data[start:place][:1] != b"\x08" or not _has_full_colour(data[start + 5 : place]):
                return None
            size_at = start + 1
            height, width = (int.from_bytes(data[at : at + 2], "big") for at in (size_at, size_at + 2))
        elif marker == INTERVAL_LENGTH:
            interval = int.from_bytes(data[start : start + 2], "big")
        elif marker == START_OF_SCAN:
            divides = interval > 0 and -(-width // BLOCK) % interval == 0
            # one scan of all three components
            is_whole = start < place < len(data) and data[start] == 3
            return (
                _Header(height, width, interval, size_at, place) if height and width and divides and is_whole else None
            )
    return None


def _has_full_colour(components: bytes) -> bool:
    """Return whether a frame states three components of full resolution."""
    return len(components) == 10 and components[0] == 3 and components[2::3] == b"\x11\x11\x11"


def _interval_bounds(data: bytes, header: _Header) -> NDArray[np.int64] | None:
    """Return where each interval begins in the file, and where the last one ends, each with the marker after it.

    None where the markers are not those of all intervals, in their order, and the file's end.
    """
    scan = np.frombuffer(data, np.uint8, offset=header.end)
    # a byte of 255 that is no marker is followed by 0
    places = np.flatnonzero(scan[:-1] == 0xFF)
    after = scan[places + 1]
    is_marker = after > 0
    ends, markers = places[is_marker] + 2, after[is_marker]
    count = -(-header.height // BLOCK) * (-(-header.width // BLOCK) // header.interval)
    if len(ends) < count or markers[count - 1] != END:
        return None
    if (markers[: count - 1] != FIRST_RESTART + np.arange(count - 1) % RESTARTS).any():
        return None
    return header.end + np.concatenate([[0], ends[:count]])
