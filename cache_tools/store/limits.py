"""How large the parts of a store may be: before memory is reserved for what a store says, that must be possible."""

from math import prod

import numpy as np

from cache_tools.codec.stored_codec import StoredCodec
from cache_tools.codec.windows import WindowsCodec
from cache_tools.store.layout import CROP_COLUMNS, array_object
from cache_tools.store.shard_bytes import index_bytes, largest_object
from cache_tools.store.spec import StoreSpec

MOST_JOINTS = MOST_VIEWS = 2048
MOST_SHARDS = 100_000
#: of a chunk or a table, decoded
LARGEST_CHUNK = 2**28
#: of the rows of a store for each byte of their annotation ids: different numbers take zstd about a byte each
ROWS_PER_BYTE = 16


def check_sizes(spec: StoreSpec, codec: StoredCodec) -> None:
    """Raise ValueError for sizes that no store has, and for a codec and a frame of different sizes."""
    if (codec.name, codec.heatmap_size) != (spec.codec, spec.frame.heatmap_size):
        raise ValueError(
            f"the codec is {codec.name!r:.40} of {codec.heatmap_size}: expected {spec.codec!r:.40} of "
            f"{spec.frame.heatmap_size}, as the spec says"
        )
    check_basis(spec, codec)
    shards = -(-spec.rows // spec.shard_rows)
    if spec.joints > MOST_JOINTS or spec.views > MOST_VIEWS or shards > MOST_SHARDS:
        raise ValueError(
            f"{spec.joints} joints, {spec.views} views, {shards} shards: expected at most {MOST_JOINTS}, {MOST_VIEWS} "
            f"and {MOST_SHARDS}"
        )
    largest = max(chunk_bytes(spec, codec), spec.shard_rows * 48 * max(spec.views, 1))
    if largest > LARGEST_CHUNK:
        raise ValueError(f"a chunk or a table of {largest} bytes: expected at most {LARGEST_CHUNK}")


def check_basis(spec: StoreSpec, codec: StoredCodec) -> None:
    """Raise ValueError where the spec names another basis than the codec has."""
    basis = codec.digest if isinstance(codec, WindowsCodec) else None
    if basis != spec.basis:
        raise ValueError(f"the basis of the codec is {basis!r:.80}: expected {spec.basis!r:.80}, as the spec says")


def chunk_bytes(spec: StoreSpec, codec: StoredCodec) -> int:
    """Return the length of the largest chunk of codes, decoded."""
    row = spec.joints * max(spec.views, 1) * prod(codec.code_shape) * np.dtype(codec.dtype).itemsize
    return spec.chunk_rows * row


def largest_objects(spec: StoreSpec, codec: StoredCodec, shard: int) -> dict[str, int]:
    """Return an upper limit for the length of each object of a shard, apart from its JPEG files."""
    chunks, views = spec.shard_rows // spec.chunk_rows, max(spec.views, 1)
    codes = largest_object(chunks, chunk_bytes(spec, codec)) + index_bytes(spec.shard_rows, spec.chunk_rows)
    tables = {
        "crops/index": 8 * len(CROP_COLUMNS),
        "crops/pixel_to_image": 48,
        "views/crop_to_image": 48 * views,
        "views/flipped": views,
    }
    limits = {name: largest_object(1, spec.shard_rows * row) for name, row in tables.items()}
    limits |= {"heatmaps": codes, "views/heatmaps": codes}
    return {array_object(name, shard): limit for name, limit in limits.items()}
