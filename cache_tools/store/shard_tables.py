"""Small arrays of a store, one object a shard: offsets of crops, geometry of views. Each is read once and kept."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.store.layout import array_object, read_array


class ShardTables:
    """The tables of one store."""

    def __init__(
        self, static: Mapping[str, bytes], shards: int, shard_rows: int, read_checked: Callable[[int, str], bytes]
    ) -> None:
        """Keep what reading needs.

        static: the objects of the store that belong to no shard.
        read_checked: read_checked(shard, key) returns an object that matches its ledger entry.
        """
        self._static, self._shards, self._shard_rows, self._read_checked = static, shards, shard_rows, read_checked
        self._tables: dict[tuple[str, int], NDArray[Any]] = {}

    def of_shard(self, name: str, shard: int) -> NDArray[Any]:
        """Return a shard's rows of array `name`."""
        if (name, shard) not in self._tables:
            key, metadata = array_object(name, shard), f"{name}/zarr.json"
            objects = {key: self._read_checked(shard, key), metadata: self._static[metadata]}
            rows = slice(shard * self._shard_rows, (shard + 1) * self._shard_rows)
            self._tables[name, shard] = read_array(objects, name, rows)
        return self._tables[name, shard]

    def of_all_shards(self, name: str) -> NDArray[Any]:
        """Return all rows of array `name`."""
        return np.concatenate([self.of_shard(name, shard) for shard in range(self._shards)])
