"""Small arrays of a store, one object a shard: offsets of crops, geometry of views. Each is read once and kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.store.layout import array_object
from cache_tools.store.spec import StoreSpec
from cache_tools.store.tables import decode_table, row_shape


class ShardTables:
    """The tables of one store."""

    def __init__(self, spec: StoreSpec, url: str, read_checked: Callable[[int, str], bytes]) -> None:
        """Keep what reading needs.

        read_checked: read_checked(shard, key) returns an object that matches its ledger entry.
        """
        self._spec, self._url, self._read_checked = spec, url, read_checked
        self._tables: dict[tuple[str, int], NDArray[Any]] = {}

    def of_shard(self, name: str, shard: int) -> NDArray[Any]:
        """Return a shard's rows of array `name`."""
        if (name, shard) not in self._tables:
            key, spec = array_object(name, shard), self._spec
            # a chunk is always whole: rows behind the last one are filled up
            shape = (spec.shard_rows, *row_shape(name, spec))
            table = decode_table(self._read_checked(shard, key), name, shape, f"{self._url}/{key}")
            self._tables[name, shard] = table[: spec.rows - shard * spec.shard_rows]
        return self._tables[name, shard]

    def of_all_shards(self, name: str) -> NDArray[Any]:
        """Return all rows of array `name`."""
        shards = -(-self._spec.rows // self._spec.shard_rows)
        return np.concatenate([self.of_shard(name, shard) for shard in range(shards)])
