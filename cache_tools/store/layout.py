"""The arrays of a store, and the objects that hold them. docs/store-format.md describes the same for people.

zarr encodes everything in memory, and the bytes are written by key: a checksum covers exactly what is written, and a
store appears on any kind of storage all at once, with its root, the last object.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import cpu
from zarr.storage import MemoryStore

from cache_tools import geometry
from cache_tools.codec.stored_codec import StoredCodec
from cache_tools.instances import Instances
from cache_tools.store.root import ROOT, seal_root
from cache_tools.store.sealed_json import fingerprint, from_bytes
from cache_tools.store.shard_bytes import CRC_BYTES, ZSTD_LEVEL, encode_shard
from cache_tools.store.spec import StoreSpec

_BARE_GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
SHARDED = ("heatmaps", "views/heatmaps")
VIEW_ARRAYS = ("views/heatmaps", "views/crop_to_image", "views/flipped")
# no bitshuffle: it makes sparse heatmaps larger
COMPRESSED = (ZstdCodec(level=ZSTD_LEVEL), Crc32cCodec())
NOT_COMPRESSED = (Crc32cCodec(),)
CROP_COLUMNS = ("offset", "length", "crc32", "height", "width")  #: of crops/index
# Number of dimensions beside the rows of each array that has an object a shard.
_DIMENSIONS_OF_A_ROW = {
    "heatmaps": 3,
    "views/heatmaps": 4,
    "views/crop_to_image": 3,
    "views/flipped": 1,
    "crops/index": 1,
    "crops/pixel_to_image": 2,
}


def empty_store(spec: StoreSpec, instances: Instances, codec: StoredCodec) -> dict[str, bytes]:
    """Return the objects of a store without shards: metadata, the instance table and, last, the root."""
    store = MemoryStore()
    group = zarr.create_group(store)
    map_shape = (spec.joints, *codec.code_shape)
    _create_maps(group, "heatmaps", (spec.rows, *map_shape), codec.dtype, spec)
    if spec.views:
        _create_maps(group, "views/heatmaps", (spec.rows, spec.views, *map_shape), codec.dtype, spec)
        _create_rows(group, "views/crop_to_image", (spec.rows, spec.views, 2, 3), "float64", spec.shard_rows)
        _create_rows(group, "views/flipped", (spec.rows, spec.views), "bool", spec.shard_rows)
    if spec.crops is not None:
        group.create_group("crops/packed")
        table = _create_rows(group, "crops/index", (spec.rows, len(CROP_COLUMNS)), "int64", spec.shard_rows)
        table.attrs["columns"] = list(CROP_COLUMNS)
        _create_rows(group, "crops/pixel_to_image", (spec.rows, 2, 3), "float64", spec.shard_rows)
    for name, values in _instance_arrays(spec, instances).items():
        _create_rows(group, f"instances/{name}", values.shape, values.dtype, len(values))[:] = values
    objects = _objects_of(store)
    root = from_bytes(objects.pop(ROOT), ROOT)
    content = {
        "spec": spec.to_json(),
        "codec": codec.to_json(),
        "objects": {key: fingerprint(data) for key, data in sorted(objects.items())},
    }
    return objects | {ROOT: seal_root(root, content)}


def shard_objects(
    *,
    static: Mapping[str, bytes],
    spec: StoreSpec,
    rows: range,
    shard: int,
    arrays: Mapping[str, NDArray[Any]],
    packed_crops: bytes | None,
) -> dict[str, bytes]:
    """Return the objects of one shard.

    static: the objects of the store that belong to no shard. arrays: by name, the values of `rows`.
    packed_crops: the object of the crops' JPEG files, as `pack_crops` makes it.
    """
    store = _memory_store({**static, ROOT: _BARE_GROUP})
    group = zarr.open_group(store, mode="r+")
    objects = {}
    for name, values in arrays.items():
        if name in SHARDED:
            objects[array_object(name, shard)] = encode_shard(values, spec.shard_rows, spec.chunk_rows)
        else:
            array = group[name]
            assert isinstance(array, zarr.Array)
            array.with_config({"write_empty_chunks": True})[rows.start : rows.stop] = values
    if packed_crops is not None:
        size = len(packed_crops) - CRC_BYTES
        _create_rows(group, f"crops/packed/{shard}", (size,), "uint8", size, compressors=NOT_COMPRESSED)
        # zarr-python writes the same bytes, but copies the largest object of a store several times
        objects[packed_object(shard)] = packed_crops
    return objects | _objects_of(store, besides={ROOT, *static})


def array_object(name: str, shard: int) -> str:
    """Return the key of the object that holds a shard's rows of an array."""
    return f"{name}/c/{shard}" + "/0" * _DIMENSIONS_OF_A_ROW[name]


def packed_object(shard: int) -> str:
    """Return the key of the object that holds a shard's JPEG bytes."""
    return f"crops/packed/{shard}/c/0"


def shard_keys(spec: StoreSpec, shard: int) -> set[str]:
    """Return the keys of all objects of a shard."""
    names = ["heatmaps"]
    if spec.views:
        names += VIEW_ARRAYS
    if spec.crops is None:
        return {array_object(name, shard) for name in names}
    keys = {array_object(name, shard) for name in (*names, "crops/index", "crops/pixel_to_image")}
    return keys | {packed_object(shard), f"crops/packed/{shard}/{ROOT}"}


def _instance_arrays(spec: StoreSpec, instances: Instances) -> dict[str, NDArray[Any]]:
    if any("\n" in name for name in instances.file_name):
        raise ValueError("a photo's file name holds a line break: rename it; the store keeps one name a line")
    # bytes, because zarr has no stable type for text
    names = np.frombuffer("\n".join(instances.file_name).encode(), np.uint8)
    arrays = {field.name: getattr(instances, field.name) for field in fields(Instances) if field.name != "file_name"}
    frame = spec.frame
    matrices = geometry.crop_to_image(instances.box, frame.name, frame.input_size, frame.padding)
    return arrays | {"file_name": names, "crop_to_image": matrices}


def _create_maps(group: zarr.Group, name: str, shape: tuple[int, ...], dtype: str, spec: StoreSpec) -> None:
    group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        shards=(spec.shard_rows, *shape[1:]),
        chunks=(spec.chunk_rows, *shape[1:]),
        compressors=COMPRESSED,
        filters=None,
        fill_value=0,
    )


def _create_rows(
    group: zarr.Group, name: str, shape: tuple[int, ...], dtype: Any, rows: int, compressors: Any = COMPRESSED
) -> zarr.Array[Any]:
    return group.create_array(
        name, shape=shape, dtype=dtype, chunks=(rows, *shape[1:]), compressors=compressors, filters=None, fill_value=0
    )


def _memory_store(objects: Mapping[str, bytes]) -> MemoryStore:
    return MemoryStore({key: cpu.Buffer.from_bytes(data) for key, data in objects.items()})


def _objects_of(store: MemoryStore, besides: Collection[str] = ()) -> dict[str, bytes]:
    return {key: buffer.to_bytes() for key, buffer in store._store_dict.items() if key not in besides}
