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
CRC_BYTES = 4  # of a crc32c
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
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
    return shard_rows // chunk_rows * 16 + CRC_BYTES


def decode_index(data: bytes, end: int) -> NDArray[np.uint64]:
    """Return offset and length (chunks, 2) of each chunk; chunks lie before byte `end` of the object.

    Raises ValueError where the checksum is wrong and where a chunk would lie outside.
    """
    if not _checksum_holds(data):
        raise ValueError("the chunk index is damaged")
    index = np.frombuffer(data[:-CRC_BYTES], "<u8").reshape(-1, 2)
    offset, length = index[(index != _ABSENT).all(axis=1)].T
    # compared so that nothing overflows
    if (length < CRC_BYTES).any() or (length > end).any() or (offset > end - np.minimum(length, end)).any():
        raise ValueError("the chunk index names bytes outside of the shard")
    return index


def is_absent(offset: int, length: int) -> bool:
    """Return whether an entry of the index says that there is no such chunk."""
    return offset == _ABSENT and length == _ABSENT


def decode_chunk(data: bytes, out: NDArray[np.generic]) -> None:
    """Decompress a chunk into all of `out`; ValueError where the checksum is wrong or its length is another.

    What the compressed bytes say of their length is compared before anything is decompressed.
    """
    if not _checksum_holds(data):
        raise ValueError("wrong checksum")
    if _content_bytes(data) != out.nbytes:
        raise ValueError(f"its chunk does not hold {out.nbytes} bytes")
    try:
        zstd.decompress(data[:-CRC_BYTES], out)
    except RuntimeError as error:
        raise ValueError(f"its chunk cannot be decompressed ({error})") from None


def largest_object(chunks: int, chunk_bytes: int) -> int:
    """Return an upper limit for the length of an object of so many chunks of so many bytes each, and its index."""
    # zstd's own bound is 1/256 and 64 bytes more than the content
    return chunks * (chunk_bytes + chunk_bytes // 128 + 1024)


def _content_bytes(data: bytes) -> int | None:
    """Return the decompressed length that a zstd frame states in its header (RFC 8878, section 3.1.1.1).

    None where it states none, or is no frame.
    """
    if data[:4] != _ZSTD_MAGIC or len(data) < 5:
        return None
    descriptor = data[4]
    single_segment, dictionary, size_flag = descriptor >> 5 & 1, descriptor & 3, descriptor >> 6
    start = 5 + (1 - single_segment) + (0, 1, 2, 4)[dictionary]
    length = (single_segment, 2, 4, 8)[size_flag]
    if not length or len(data) < start + length:
        return None
    return int.from_bytes(data[start : start + length], "little") + (256 if length == 2 else 0)


def _with_checksum(data: bytes) -> bytes:
    return data + checksum(data)


def _checksum_holds(data: bytes) -> bool:
    return checksum(data[:-CRC_BYTES]) == data[-CRC_BYTES:]


def checksum(*parts: bytes) -> bytes:
    """Return the crc32c of parts end to end, as Zarr stores it."""
    total = 0
    for part in parts:
        total = google_crc32c.extend(total, part)
    return int(total).to_bytes(CRC_BYTES, "little")
