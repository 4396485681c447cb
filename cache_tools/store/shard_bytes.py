"""The sharding format of Zarr v3: the bytes of one shard of a heatmap array.

A shard object is its compressed chunks end to end, each followed by its crc32c, then an index of (offset, length) for
each chunk, followed by the index's crc32c. zarr-python writes the same bytes, but runs its event loop for every chunk.
"""

import google_crc32c
import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

# 8 is a little quicker, and makes exact8 larger
ZSTD_LEVEL = 9
_CRC = 4  # bytes of a crc32c
# Offset and length of a chunk that lies wholly behind the array's end.
_ABSENT = 2**64 - 1


def encode_shard(values: NDArray[np.generic], shard_rows: int, chunk_rows: int) -> bytes:
    """Encode rows (n, ...), n <= shard_rows, as a shard object; their last chunk is filled up with zeros."""
    index = np.full((shard_rows // chunk_rows, 2), _ABSENT, "<u8")
    chunks: list[bytes] = []
    end = 0
    for number, start in enumerate(range(0, len(values), chunk_rows)):
        rows = values[start : start + chunk_rows]
        if len(rows) < chunk_rows:
            rows = np.concatenate([rows, np.zeros((chunk_rows - len(rows), *rows.shape[1:]), rows.dtype)])
        chunks.append(_with_checksum(zstd.compress(np.ascontiguousarray(rows), ZSTD_LEVEL)))
        index[number] = end, len(chunks[-1])
        end += len(chunks[-1])
    return b"".join([*chunks, _with_checksum(index.tobytes())])


def index_bytes(shard_rows: int, chunk_rows: int) -> int:
    """Return the length of the index at a shard object's end."""
    return shard_rows // chunk_rows * 16 + _CRC


def decode_index(data: bytes) -> NDArray[np.uint64] | None:
    """Return offset and length (chunks, 2) of each chunk; None where the checksum is wrong."""
    return np.frombuffer(data[:-_CRC], "<u8").reshape(-1, 2) if _checksum_holds(data) else None


def decode_chunk(data: bytes, out: NDArray[np.generic]) -> bool:
    """Decompress a chunk into all of `out` (chunk_rows, ...); return False where the checksum is wrong."""
    if not _checksum_holds(data):
        return False
    zstd.decompress(data[:-_CRC], out)
    return True


def _with_checksum(data: bytes) -> bytes:
    return data + _checksum(data)


def _checksum_holds(data: bytes) -> bool:
    return _checksum(data[:-_CRC]) == data[-_CRC:]


def _checksum(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(_CRC, "little")
