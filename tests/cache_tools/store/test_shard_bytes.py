"""The bytes of a shard object, compared with those of zarr-python."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from cache_tools.store.shard_bytes import ZSTD_LEVEL, decode_chunk, decode_index, encode_shard, index_bytes

ROW = (3, 5)
Shard = tuple[np.ndarray, bytes]  # the rows and their object


@given(
    chunk_rows=st.sampled_from([1, 4, 8]),
    chunks=st.integers(1, 6),
    rows=st.integers(1, 48),
    dtype=st.sampled_from(["uint8", "float16"]),
    seed=st.integers(0, 99),
)
def test_a_shard_is_the_bytes_that_zarr_would_write(
    chunk_rows: int, chunks: int, rows: int, dtype: str, seed: int
) -> None:
    shard_rows = chunk_rows * chunks
    values = np.random.default_rng(seed).integers(0, 3, (rows, *ROW)).astype(dtype)
    # chunks of zeros are written, too
    values[: rows // 2] = 0
    store = MemoryStore()
    array = zarr.create_array(
        store,
        shape=values.shape,
        dtype=dtype,
        shards=(shard_rows, *ROW),
        chunks=(chunk_rows, *ROW),
        compressors=(ZstdCodec(level=ZSTD_LEVEL), Crc32cCodec()),
        filters=None,
        fill_value=0,
    ).with_config({"write_empty_chunks": True})
    array[:] = values
    for shard, start in enumerate(range(0, rows, shard_rows)):
        theirs = store._store_dict[f"c/{shard}/0/0"].to_bytes()
        assert encode_shard(values[start : start + shard_rows], shard_rows, chunk_rows) == theirs


@pytest.fixture
def shard() -> Shard:
    """Encode twenty rows, of which four chunks of eight have room for more."""
    values = np.random.default_rng(0).integers(0, 9, (20, *ROW)).astype(np.uint8)
    return values, encode_shard(values, 32, 8)


def test_chunks_are_found_by_the_index(shard: Shard) -> None:
    values, data = shard
    index = decode_index(data[-index_bytes(32, 8) :])
    assert index is not None
    # the fourth chunk lies behind the end
    assert (index[3] == 2**64 - 1).all()
    for number, (offset, length) in enumerate(index[:3].tolist()):
        out = np.empty((8, *ROW), np.uint8)
        assert decode_chunk(data[offset : offset + length], out)
        rows = values[number * 8 : number * 8 + 8]
        np.testing.assert_array_equal(out[: len(rows)], rows)
        assert not out[len(rows) :].any()


def test_a_changed_byte_is_noticed_in_chunk_and_index(shard: Shard) -> None:
    _, data = shard
    tail = index_bytes(32, 8)
    index = decode_index(data[-tail:])
    assert index is not None
    for place in range(len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1
        if place >= len(data) - tail:
            assert decode_index(bytes(spoilt[-tail:])) is None
            continue
        offset, length = next(pair for pair in index.tolist() if place < sum(pair))
        assert not decode_chunk(bytes(spoilt[offset : offset + length]), np.empty((8, *ROW), np.uint8))
