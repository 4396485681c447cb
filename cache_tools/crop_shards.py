"""Crops in a store: a shard's JPEG files end to end, and a table that says where each lies and what its checksum is."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.layout import CROP_COLUMNS, array_objects, packed_crops, read_array
from cache_tools.objects import REPAIR, Objects


def pack_crops(crops: Sequence[bytes], size: ArrayLike) -> tuple[bytes, NDArray[np.int64]]:
    """The files end to end and their table (n, 5): offset, length, crc32, height, width."""
    length = np.array([len(crop) for crop in crops], np.int64)
    table = np.zeros((len(crops), len(CROP_COLUMNS)), np.int64)
    table[:, 0] = np.cumsum(length) - length
    table[:, 1] = length
    table[:, 2] = [zlib.crc32(crop) for crop in crops]
    table[:, 3:] = size
    return b"".join(crops), table


class CropShards:
    """The crops of one store. checked(shard, key) hands over an object that matches its ledger entry."""

    def __init__(
        self,
        objects: Objects,
        static: Mapping[str, bytes],
        rows: int,
        shard_rows: int,
        checked: Callable[[int, str], bytes],
    ) -> None:
        self.objects, self.static, self.rows, self.shard_rows, self._checked = (
            objects,
            static,
            rows,
            shard_rows,
            checked,
        )
        self._tables: dict[tuple[str, int], NDArray[Any]] = {}
        self._packed: dict[int, memoryview] = {}

    def read(self, rows: NDArray[np.integer]) -> list[bytes]:
        """The JPEG file of each row, each checked; from a local disk this is one small read a row."""
        return [self._read_row(int(row)) for row in rows]

    def load(self) -> None:
        """Hold every JPEG file in memory."""
        for shard in range(-(-self.rows // self.shard_rows)):
            if shard not in self._packed:
                self._packed[shard] = memoryview(self._checked(shard, f"{packed_crops(shard)}/c/0"))

    def table(self, name: str, shard: int) -> NDArray[Any]:
        """A shard's rows of crops/index or crops/pixel_to_image, kept."""
        if (name, shard) not in self._tables:
            key = array_objects(name, shard)
            objects = {key: self._checked(shard, key), f"{name}/zarr.json": self.static[f"{name}/zarr.json"]}
            rows = slice(shard * self.shard_rows, (shard + 1) * self.shard_rows)
            self._tables[name, shard] = read_array(objects, name, rows)
        return self._tables[name, shard]

    def whole_table(self, name: str) -> NDArray[Any]:
        """All rows of crops/index or crops/pixel_to_image."""
        return np.concatenate([self.table(name, s) for s in range(-(-self.rows // self.shard_rows))])

    def _read_row(self, row: int) -> bytes:
        shard, within = divmod(row, self.shard_rows)
        offset, length, crc = map(int, self.table("crops/index", shard)[within, :3])
        key = f"{packed_crops(shard)}/c/0"
        packed = self._packed.get(shard)
        data = (
            self.objects.get_range(key, offset, length) if packed is None else bytes(packed[offset : offset + length])
        )
        if data is None or zlib.crc32(data) != crc:
            raise ValueError(f"{self.objects.url}/{key}: the crop of row {row} is damaged or missing; {REPAIR}")
        return data
