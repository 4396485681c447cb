"""Small arrays of a store, one object a shard: where crops lie, the geometry of views. Each is read once and kept."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.store.layout import array_object, read_array


class ShardTables:
    """The tables of one store. checked(shard, key) hands over an object that matches its ledger entry."""

    def __init__(
        self, static: Mapping[str, bytes], shards: int, shard_rows: int, checked: Callable[[int, str], bytes]
    ) -> None:
        self._static, self._shards, self._shard_rows, self._checked = static, shards, shard_rows, checked
        self._read: dict[tuple[str, int], NDArray[Any]] = {}

    def of_shard(self, name: str, shard: int) -> NDArray[Any]:
        """A shard's rows of array `name`."""
        if (name, shard) not in self._read:
            key, metadata = array_object(name, shard), f"{name}/zarr.json"
            objects = {key: self._checked(shard, key), metadata: self._static[metadata]}
            rows = slice(shard * self._shard_rows, (shard + 1) * self._shard_rows)
            self._read[name, shard] = read_array(objects, name, rows)
        return self._read[name, shard]

    def whole(self, name: str) -> NDArray[Any]:
        """All rows of array `name`."""
        return np.concatenate([self.of_shard(name, shard) for shard in range(self._shards)])
