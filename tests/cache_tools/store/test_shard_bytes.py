"""The bytes of a shard object, compared with those of zarr-python."""

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import zstd
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
    tail = index_bytes(32, 8)
    index = decode_index(data[-tail:], len(data) - tail)
    # the fourth chunk lies behind the end
    assert (index[3] == 2**64 - 1).all()
    for number, (offset, length) in enumerate(index[:3].tolist()):
        out = np.empty((8, *ROW), np.uint8)
        decode_chunk(data[offset : offset + length], out)
        rows = values[number * 8 : number * 8 + 8]
        np.testing.assert_array_equal(out[: len(rows)], rows)
        assert not out[len(rows) :].any()


def test_a_changed_byte_is_noticed_in_chunk_and_index(shard: Shard) -> None:
    _, data = shard
    tail = index_bytes(32, 8)
    index = decode_index(data[-tail:], len(data) - tail)
    for place in range(len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1
        if place >= len(data) - tail:
            with pytest.raises(ValueError, match="index is damaged"):
                decode_index(bytes(spoilt[-tail:]), len(data) - tail)
            continue
        offset, length = next(pair for pair in index.tolist() if place < sum(pair))
        with pytest.raises(ValueError, match="wrong checksum"):
            decode_chunk(bytes(spoilt[offset : offset + length]), np.empty((8, *ROW), np.uint8))


def sealed(data: bytes) -> bytes:
    """Return bytes with their own crc32c."""
    return data + int(google_crc32c.value(data)).to_bytes(4, "little")


@pytest.mark.parametrize("length", [0, 1, 255, 256, 300, 65791, 65792, 10**6])
def test_the_length_of_a_chunk_is_read_from_its_frame(length: int) -> None:
    content = np.random.default_rng(0).integers(0, 4, length).astype(np.uint8)
    out = np.empty_like(content)
    if length:
        decode_chunk(sealed(zstd.compress(content, ZSTD_LEVEL)), out)
        assert np.array_equal(out, content)
    for other in (length - 1, length + 1):
        if other > 0:
            with pytest.raises(ValueError, match=f"does not hold {other} bytes"):
                decode_chunk(sealed(zstd.compress(content, ZSTD_LEVEL)), np.empty(other, np.uint8))


@pytest.mark.parametrize("data", [b"", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\xc0", b"no frame at all"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="does not hold 8 bytes"):
        decode_chunk(sealed(data), np.empty(8, np.uint8))


def test_a_frame_that_lies_about_its_length_is_refused() -> None:
    frame = bytearray(zstd.compress(np.zeros(100, np.uint8), ZSTD_LEVEL))
    assert frame[5] == 100
    frame[5] = 101
    with pytest.raises(ValueError, match="cannot be decompressed"):
        decode_chunk(sealed(bytes(frame)), np.empty(101, np.uint8))


@pytest.mark.parametrize("entry", [(0, 3), (2**63, 8), (8, 2**63), (2**64 - 2, 8), (100, 1), (96, 8)])
def test_an_index_that_leads_out_of_its_object_is_refused(entry: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="names bytes outside of the shard"):
        decode_index(sealed(np.array([entry], "<u8").tobytes()), 100)
