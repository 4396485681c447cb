"""Crops in a store: a shard's JPEG files end to end, and a table with offset, length and checksum of each."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import simplejpeg
from numpy.typing import ArrayLike, NDArray

from cache_tools.store.layout import CROP_COLUMNS, array_object, packed_object
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.shard_bytes import CRC_BYTES, checksum
from cache_tools.store.shard_tables import ShardTables

#: of a JPEG file, which cannot state more
LARGEST_SIDE = 65500
# Huffman codes have a bit at least: the two of each block of 64 values, in three colours, are 6 bits of a JPEG file.
PIXELS_PER_BYTE = 86


def pack_crops(crops: Sequence[bytes], size: ArrayLike) -> tuple[bytes, NDArray[np.int64]]:
    """Join JPEG files of sizes (n, 2) height, width; return the object of the bytes and their table (n, 5).

    The object is an uncompressed chunk of Zarr: the files end to end, then the crc32c of all of them.
    The columns of the table are offset, length, crc32, height and width.
    """
    length = np.array([len(crop) for crop in crops], np.int64)
    table = np.zeros((len(crops), len(CROP_COLUMNS)), np.int64)
    table[:, 0] = np.cumsum(length) - length
    table[:, 1] = length
    table[:, 2] = [zlib.crc32(crop) for crop in crops]
    table[:, 3:] = size
    return b"".join([*crops, checksum(*crops)]), table


class CropShards:
    """The JPEG files of one store."""

    def __init__(
        self,
        *,
        objects: Objects,
        tables: ShardTables,
        shards: int,
        shard_rows: int,
        read_checked: Callable[[int, str], bytes],
        object_bytes: Callable[[int, str], int],
    ) -> None:
        """Keep what reading needs.

        read_checked: read_checked(shard, key) returns an object that matches its ledger entry.
        object_bytes: object_bytes(shard, key) returns its length.
        """
        self._objects, self._tables, self._shards, self._shard_rows = objects, tables, shards, shard_rows
        self._read_checked, self._object_bytes = read_checked, object_bytes
        self._packed: dict[int, memoryview] = {}
        self._indexes: dict[int, NDArray[np.int64]] = {}

    def index(self, shard: int) -> NDArray[np.int64]:
        """Return the table (n, 5) of a shard's JPEG files, checked.

        Raises ValueError where a file would lie outside of the shard's bytes or could not be of its size.
        """
        if shard not in self._indexes:
            table = self._tables.of_shard("crops/index", shard)
            offset, length, _, height, width = table.T
            end = self._object_bytes(shard, packed_object(shard)) - CRC_BYTES
            # compared so that nothing overflows
            is_inside = (offset >= 0) & (length > 0) & (length <= end) & (offset <= end - np.minimum(length, end))
            sides = np.clip(table[:, 3:], 0, LARGEST_SIDE + 1)
            is_size = (sides >= 1).all(1) & (sides <= LARGEST_SIDE).all(1) & (sides.prod(1) <= length * PIXELS_PER_BYTE)
            if not (is_possible := is_inside & is_size).all():
                place = int(np.argmin(is_possible))
                raise ValueError(
                    f"{self._objects.url}/{array_object('crops/index', shard)} is damaged: row "
                    f"{shard * self._shard_rows + place} has a crop of {height[place]}x{width[place]} pixels in "
                    f"{length[place]} bytes from byte {offset[place]}, which cannot be; {REPAIR}"
                )
            if (offset + length).max() != end:
                raise ValueError(
                    f"{self._objects.url}/{packed_object(shard)} is damaged: {end} bytes, of which the index knows "
                    f"{(offset + length).max()}; {REPAIR}"
                )
            self._indexes[shard] = table
        return self._indexes[shard]

    def read(self, rows: NDArray[np.integer]) -> list[bytes]:
        """Return the JPEG file of each row, checked; from a local disk this is one small read a row."""
        return [self._read_row(int(row)) for row in rows]

    def load(self) -> None:
        """Hold every JPEG file and its table in memory."""
        for shard in range(self._shards):
            self.index(shard)
            if shard not in self._packed:
                self._packed[shard] = memoryview(self._read_checked(shard, packed_object(shard)))

    def _read_row(self, row: int) -> bytes:
        shard, row_in_shard = divmod(row, self._shard_rows)
        offset, length, crc, height, width = self.index(shard)[row_in_shard].tolist()
        key, packed = packed_object(shard), self._packed.get(shard)
        if packed is None:
            (data,) = self._objects.get_ranges(key, [(offset, length)]) or (None,)
        else:
            data = bytes(packed[offset : offset + length])
        if data is None or zlib.crc32(data) != crc:
            raise ValueError(f"{self._objects.url}/{key}: the crop of row {row} is damaged or missing; {REPAIR}")
        if (stated := _stated_size(data)) != (height, width):
            raise ValueError(
                f"{self._objects.url}/{key}: the crop of row {row} is damaged: its file states {stated} pixels, the "
                f"index {(height, width)}; {REPAIR}"
            )
        return data


def _stated_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) of a JPEG file's header; None where it is none.

    Looked at before decoding: a file of a few bytes can state any size, and its decoder would reserve memory for it.
    """
    try:
        height, width = simplejpeg.decode_jpeg_header(data, strict=False)[:2]
    except ValueError:
        return None
    return height, width
