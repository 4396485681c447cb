"""Crops in a store: a shard's JPEG files end to end, and a table with offset, length and checksum of each."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.store.layout import CROP_COLUMNS, packed_object
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.shard_tables import ShardTables


def pack_crops(crops: Sequence[bytes], size: ArrayLike) -> tuple[bytes, NDArray[np.int64]]:
    """Join JPEG files of sizes (n, 2) height, width; return the bytes and their table (n, 5).

    The columns of the table are offset, length, crc32, height and width.
    """
    length = np.array([len(crop) for crop in crops], np.int64)
    table = np.zeros((len(crops), len(CROP_COLUMNS)), np.int64)
    table[:, 0] = np.cumsum(length) - length
    table[:, 1] = length
    table[:, 2] = [zlib.crc32(crop) for crop in crops]
    table[:, 3:] = size
    return b"".join(crops), table


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
    ) -> None:
        """Keep what reading needs.

        read_checked: read_checked(shard, key) returns an object that matches its ledger entry.
        """
        self._objects, self._tables, self._shards, self._shard_rows = objects, tables, shards, shard_rows
        self._read_checked = read_checked
        self._packed: dict[int, memoryview] = {}

    def read(self, rows: NDArray[np.integer]) -> list[bytes]:
        """Return the JPEG file of each row, checked; from a local disk this is one small read a row."""
        return [self._read_row(int(row)) for row in rows]

    def load(self) -> None:
        """Hold every JPEG file and its table in memory."""
        for shard in range(self._shards):
            self._tables.of_shard("crops/index", shard)
            if shard not in self._packed:
                self._packed[shard] = memoryview(self._read_checked(shard, packed_object(shard)))

    def _read_row(self, row: int) -> bytes:
        shard, row_in_shard = divmod(row, self._shard_rows)
        offset, length, crc = map(int, self._tables.of_shard("crops/index", shard)[row_in_shard, :3])
        key, packed = packed_object(shard), self._packed.get(shard)
        if packed is None:
            (data,) = self._objects.get_ranges(key, [(offset, length)]) or (None,)
        else:
            data = bytes(packed[offset : offset + length])
        if data is None or zlib.crc32(data) != crc:
            raise ValueError(f"{self._objects.url}/{key}: the crop of row {row} is damaged or missing; {REPAIR}")
        return data
