"""Zarr v3's sharding format, in bytes: what one shard of a heatmap array is as an object.

A shard object is its compressed chunks end to end, each followed by its crc32c, then an index of (offset, length) a
chunk, followed by the index's crc32c. zarr-python makes the same bytes, with its event loop around every chunk.
"""

import google_crc32c
import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

ZSTD_LEVEL = 9  # 8 is a little quicker, and makes exact8 larger
_CRC = 4  # bytes of a crc32c
_ABSENT = 2**64 - 1  # offset and length of a chunk that lies wholly behind the array's end


def encode_shard(values: NDArray[np.generic], shard_rows: int, chunk_rows: int) -> bytes:
    """The shard object of rows (n, ...), n <= shard_rows; the chunk that they end in is filled up with zeros."""
    index = np.full((shard_rows // chunk_rows, 2), _ABSENT, "<u8")
    chunks: list[bytes] = []
    end = 0
    for number, start in enumerate(range(0, len(values), chunk_rows)):
        rows = values[start : start + chunk_rows]
        if len(rows) < chunk_rows:
            rows = np.concatenate([rows, np.zeros((chunk_rows - len(rows), *rows.shape[1:]), rows.dtype)])
        chunks.append(_sealed(zstd.compress(np.ascontiguousarray(rows), ZSTD_LEVEL)))
        index[number] = end, len(chunks[-1])
        end += len(chunks[-1])
    return b"".join([*chunks, _sealed(index.tobytes())])


def index_bytes(shard_rows: int, chunk_rows: int) -> int:
    """Length of the index at a shard object's end."""
    return shard_rows // chunk_rows * 16 + _CRC


def decode_index(data: bytes) -> NDArray[np.uint64] | None:
    """Offset and length (chunks, 2) of each chunk; None where the checksum is wrong."""
    return np.frombuffer(data[:-_CRC], "<u8").reshape(-1, 2) if _holds(data) else None


def decode_chunk(data: bytes, out: NDArray[np.generic]) -> bool:
    """Decompress a chunk into all of `out` (chunk_rows, ...); False where the checksum is wrong."""
    if not _holds(data):
        return False
    zstd.decompress(data[:-_CRC], out)
    return True


def _sealed(data: bytes) -> bytes:
    return data + google_crc32c.value(data).to_bytes(_CRC, "little")


def _holds(data: bytes) -> bool:
    return google_crc32c.value(data[:-_CRC]) == int.from_bytes(data[-_CRC:], "little")
