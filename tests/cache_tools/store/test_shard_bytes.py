"""The bytes of a shard object, against zarr-python's own."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from cache_tools.store.shard_bytes import ZSTD_LEVEL, decode_chunk, decode_index, encode_shard, index_bytes

ROW = (3, 5)


@given(
    chunk_rows=st.sampled_from([1, 4, 8]),
    chunks=st.integers(1, 6),
    rows=st.integers(1, 48),
    dtype=st.sampled_from(["uint8", "float16"]),
    seed=st.integers(0, 99),
)
def test_a_shard_is_the_bytes_that_zarr_would_write(chunk_rows, chunks, rows, dtype, seed):
    shard_rows = chunk_rows * chunks
    values = np.random.default_rng(seed).integers(0, 3, (rows, *ROW)).astype(dtype)
    values[: rows // 2] = 0  # chunks of nothing are written, too
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
def shard() -> tuple[np.ndarray, bytes]:
    values = np.random.default_rng(0).integers(0, 9, (20, *ROW)).astype(np.uint8)
    return values, encode_shard(values, 32, 8)


def test_chunks_are_found_by_the_index(shard):
    values, data = shard
    index = decode_index(data[-index_bytes(32, 8) :])
    assert index is not None
    assert (index[3] == 2**64 - 1).all()  # it lies behind the end
    for number, (offset, length) in enumerate(index[:3].tolist()):
        out = np.empty((8, *ROW), np.uint8)
        assert decode_chunk(data[offset : offset + length], out)
        rows = values[number * 8 : number * 8 + 8]
        np.testing.assert_array_equal(out[: len(rows)], rows)
        assert not out[len(rows) :].any()


def test_a_changed_byte_is_noticed_in_chunk_and_index(shard):
    _, data = shard
    tail = index_bytes(32, 8)
    for place in range(len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1
        if place >= len(data) - tail:
            assert decode_index(bytes(spoilt[-tail:])) is None
            continue
        offset, length = next(pair for pair in decode_index(data[-tail:]).tolist() if place < sum(pair))
        assert not decode_chunk(bytes(spoilt[offset : offset + length]), np.empty((8, *ROW), np.uint8))
