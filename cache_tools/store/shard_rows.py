"""Read rows of sharded arrays: faster than zarr for scattered rows, and with the same checks."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.store.layout import array_object
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.shard_bytes import decode_chunk, decode_index, index_bytes, is_absent

LOAD_THREADS = 4


class ShardedRows:
    """One sharded array of a store; its rows are read in any order."""

    def __init__(
        self,
        *,
        objects: Objects,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        shard_rows: int,
        chunk_rows: int,
        object_bytes: Callable[[int, str], int],
        are_codes: Callable[[NDArray[Any]], bool],
    ) -> None:
        """Keep what reading needs.

        object_bytes: object_bytes(shard, key) returns the length of an object, as its shard's ledger entry has it.
        are_codes: whether an encoder could have written a chunk.
        """
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)
        self._objects, self._object_bytes, self._are_codes = objects, object_bytes, are_codes
        self._shard_rows, self._chunk_rows = shard_rows, chunk_rows
        self._index_bytes = index_bytes(shard_rows, chunk_rows)
        self._indexes: dict[int, NDArray[np.uint64]] = {}
        self._loaded: NDArray[Any] | None = None

    def read(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        """Return codes (B, ...) of rows in any order; each chunk is decoded once.

        Raises ValueError naming the rows where a chunk is damaged.
        """
        if self._loaded is not None:
            loaded: NDArray[Any] = self._loaded[rows]
            return loaded
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        # One buffer for all chunks: new pages cost as much time as zstd.
        decoded = np.empty((self._chunk_rows, *self.shape[1:]), self.dtype)
        # of each chunk: positions in `out` and rows of the chunk
        requested: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for position, row in enumerate(rows.tolist()):
            requested[row // self._chunk_rows].append((position, row % self._chunk_rows))
        chunks = np.array(sorted(requested), np.int64)
        shard_of = chunks // (self._shard_rows // self._chunk_rows)
        for shard in np.unique(shard_of):
            for chunk, data in self._chunks(int(shard), chunks[shard_of == shard]):
                self._decode(data, decoded, chunk * self._chunk_rows)
                for position, row_in_chunk in requested[chunk]:
                    out[position] = decoded[row_in_chunk]
        return out

    def load(self) -> None:
        """Hold every row in memory, decoded: `read` then reads no disk."""
        if self._loaded is not None:
            return
        loaded = np.zeros(self.shape, self.dtype)
        shards = -(-self.shape[0] // self._shard_rows)
        with ThreadPoolExecutor(LOAD_THREADS) as pool:
            list(pool.map(lambda shard: self._load_shard(shard, loaded), range(shards)))
        self._loaded = loaded

    def _load_shard(self, shard: int, loaded: NDArray[Any]) -> None:
        length = self._length(shard)
        (data,) = self._read_ranges(shard, [(0, length)])
        index = self._parse_index(shard, data[-self._index_bytes :], length)
        for chunk, (offset, size) in enumerate(index.tolist()):
            start = (shard * len(index) + chunk) * self._chunk_rows
            rows = loaded[start : start + self._chunk_rows]
            # the last shard ends before its index does
            if len(rows):
                self._check_present(shard, offset, size, start)
                self._decode(data[offset : offset + size], rows, start)

    def _chunks(self, shard: int, chunks: NDArray[np.integer]) -> Iterator[tuple[int, bytes]]:
        """Return the compressed bytes of some chunks of a shard."""
        if shard not in self._indexes:
            length = self._length(shard)
            (tail,) = self._read_ranges(shard, [(length - self._index_bytes, self._index_bytes)])
            self._indexes[shard] = self._parse_index(shard, tail, length)
        index = self._indexes[shard]
        ranges = [(offset, size) for offset, size in index[chunks % len(index)].tolist()]
        for (offset, size), chunk in zip(ranges, chunks.tolist(), strict=True):
            self._check_present(shard, offset, size, chunk * self._chunk_rows)
        return zip(chunks.tolist(), self._read_ranges(shard, ranges), strict=True)

    def _key(self, shard: int) -> str:
        return array_object(self.name, shard)

    def _read_ranges(self, shard: int, ranges: list[tuple[int, int]]) -> list[bytes]:
        parts = self._objects.get_ranges(self._key(shard), ranges)
        if parts is None or any(len(part) != length for part, (_, length) in zip(parts, ranges, strict=True)):
            found = "is missing" if parts is None else "is shorter than the ledger says"
            raise ValueError(f"{self._objects.url}/{self._key(shard)} {found}; {REPAIR}")
        return parts

    def _length(self, shard: int) -> int:
        """Return the length of a shard's object; ValueError where it has no room for its index."""
        length = self._object_bytes(shard, self._key(shard))
        if length < self._index_bytes:
            raise ValueError(f"{self._objects.url}/{self._key(shard)}: {length} bytes hold no chunk index; {REPAIR}")
        return length

    def _parse_index(self, shard: int, tail: bytes, length: int) -> NDArray[np.uint64]:
        try:
            return decode_index(tail, length - self._index_bytes)
        except ValueError as problem:
            raise ValueError(f"{self._objects.url}/{self._key(shard)}: {problem}; {REPAIR}") from None

    def _check_present(self, shard: int, offset: int, size: int, start: int) -> None:
        if is_absent(offset, size):
            raise ValueError(f"{self._rows_from(start)}: the chunk is missing; {REPAIR}")

    def _decode(self, data: bytes, rows: NDArray[Any], start: int) -> None:
        """Decode a chunk into `rows`, which begin at row `start`: chunk_rows of them, or fewer at the array's end."""
        is_full = len(rows) == self._chunk_rows
        chunk = rows if is_full else np.empty((self._chunk_rows, *self.shape[1:]), self.dtype)
        try:
            decode_chunk(data, chunk)
        except ValueError as problem:
            raise ValueError(f"{self._rows_from(start)}: {problem}; {REPAIR}") from None
        if not self._are_codes(chunk):
            raise ValueError(f"{self._rows_from(start)}: codes that are no heatmap; {REPAIR}")
        if not is_full:
            rows[:] = chunk[: len(rows)]

    def _rows_from(self, start: int) -> str:
        """Return the place of the chunk that begins at row `start`, for a message."""
        last = min(start + self._chunk_rows, self.shape[0]) - 1
        return f"{self._objects.url}: {self.name}, shard {start // self._shard_rows}, rows {start}-{last}"
