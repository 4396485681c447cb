"""The arrays of a store, and which objects hold them. docs/store-format.md describes the same for people.

Everything is encoded by zarr in memory and handed on as bytes by key: so a checksum covers exactly what is written, and
a store appears whole, its root last, on any kind of storage.
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
from cache_tools.codec.profiles import get_codec
from cache_tools.instances import Instances
from cache_tools.store.objects import fingerprint, from_bytes, seal, to_bytes, unseal
from cache_tools.store.shard_bytes import ZSTD_LEVEL, encode_shard
from cache_tools.store.spec import StoreSpec

ROOT = "zarr.json"
_BARE_GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
SHARDED = ("heatmaps", "views/heatmaps")
COMPRESSED = (ZstdCodec(level=ZSTD_LEVEL), Crc32cCodec())  # no bitshuffle: it makes sparse heatmaps larger
CROP_COLUMNS = ("offset", "length", "crc32", "height", "width")  # of crops/index
VIEW_GEOMETRY = ("views/crop_to_image", "views/flipped")


def skeleton(spec: StoreSpec, instances: Instances) -> dict[str, bytes]:
    """The objects of a store without shards: metadata, the instance table and, last, the root that makes it a store."""
    store = MemoryStore()
    group = zarr.create_group(store)
    codec = get_codec(spec.codec, spec.frame.heatmap_size)
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
    for name, values in _table(spec, instances).items():
        _create_rows(group, f"instances/{name}", values.shape, values.dtype, len(values))[:] = values
    objects = _taken(store)
    root = from_bytes(objects.pop(ROOT), ROOT)
    content = {
        "spec": spec.to_json(),
        "codec": codec.to_json(),
        "objects": {key: fingerprint(data) for key, data in sorted(objects.items())},
    }
    root["attributes"] = {"kdcache": content}
    root["attributes"]["kdcache"] = seal({"root": root} | content)  # the seal covers zarr's own part of the file, too
    del root["attributes"]["kdcache"]["root"]
    return objects | {ROOT: to_bytes(root)}


def read_root(data: bytes, where: str) -> dict[str, Any]:
    """The content of the root's attribute `kdcache`: spec, codec, objects; ValueError when damaged or not ours."""
    root = from_bytes(data, where)
    content = root.get("attributes", {}).get("kdcache") if isinstance(root, dict) else None
    if not isinstance(content, dict):
        raise ValueError(
            f"{where} is not a kdcache store's: it has no attribute 'kdcache'; give the folder `kdcache build` made"
        )
    plain = {k: v for k, v in content.items() if k != "sha256"}
    bare = root | {"attributes": root["attributes"] | {"kdcache": plain}}
    unseal({"root": bare} | content, where)
    return plain


def shard_objects(
    static: dict[str, bytes],
    spec: StoreSpec,
    rows: range,
    shard: int,
    arrays: Mapping[str, NDArray[Any]],
    jpeg: bytes | None,
) -> dict[str, bytes]:
    """The objects of one shard: `arrays` by name for these rows, and its crops' JPEG bytes end to end."""
    store = _memory(static | {ROOT: _BARE_GROUP})
    group = zarr.open_group(store, mode="r+")
    made = {}
    for name, values in arrays.items():
        if name in SHARDED:
            made[array_object(name, shard)] = encode_shard(values, spec.shard_rows, spec.chunk_rows)
            continue
        array = group[name].with_config({"write_empty_chunks": True})  # type: ignore[union-attr]
        array[rows.start : rows.stop] = values
    if jpeg is not None:
        packed = np.frombuffer(jpeg, np.uint8)
        _create_rows(group, f"crops/packed/{shard}", packed.shape, "uint8", len(packed), compressors=(Crc32cCodec(),))[
            :
        ] = packed
    return made | _taken(store, besides={ROOT, *static})


def array_object(name: str, shard: int) -> str:
    """Key of the object that holds a shard's rows of an array."""
    trailing = {"heatmaps": 3, "views/heatmaps": 4, "crops/index": 1, "crops/pixel_to_image": 2}
    trailing |= {"views/crop_to_image": 3, "views/flipped": 1}
    return f"{name}/c/{shard}" + "/0" * trailing[name]


def packed_object(shard: int) -> str:
    """Key of the object that holds a shard's JPEG bytes."""
    return f"crops/packed/{shard}/c/0"


def read_array(objects: Mapping[str, bytes], name: str, rows: slice = slice(None)) -> NDArray[Any]:
    """Rows of an array, decoded by zarr from objects in memory."""
    return np.asarray(zarr.open_array(_memory(objects), path=name, mode="r")[rows])


def read_instances(objects: Mapping[str, bytes]) -> tuple[Instances, geometry.Matrix]:
    """The instance table and the matrix (N, 2, 3) from teacher crop pixel to image pixel of each row."""
    names = read_array(objects, "instances/file_name").tobytes().decode().split("\n")
    others = [f.name for f in fields(Instances) if f.name != "file_name"]
    table = {name: read_array(objects, f"instances/{name}") for name in others}
    return Instances(**table, file_name=tuple(names)), read_array(objects, "instances/crop_to_image")


def _table(spec: StoreSpec, instances: Instances) -> dict[str, NDArray[Any]]:
    if any("\n" in name for name in instances.file_name):
        raise ValueError("a photo's file name holds a line break: rename it; the store keeps one name a line")
    names = np.frombuffer("\n".join(instances.file_name).encode(), np.uint8)  # zarr has no stable type for text
    table = {f.name: getattr(instances, f.name) for f in fields(Instances) if f.name != "file_name"}
    frame = spec.frame
    matrices = geometry.crop_to_image(instances.box, frame.name, frame.input_size, frame.padding)
    return table | {"file_name": names, "crop_to_image": matrices}


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
) -> zarr.Array:
    return group.create_array(
        name, shape=shape, dtype=dtype, chunks=(rows, *shape[1:]), compressors=compressors, filters=None, fill_value=0
    )


def _memory(objects: Mapping[str, bytes]) -> MemoryStore:
    return MemoryStore({key: cpu.Buffer.from_bytes(data) for key, data in objects.items()})


def _taken(store: MemoryStore, besides: Collection[str] = ()) -> dict[str, bytes]:
    return {key: buffer.to_bytes() for key, buffer in store._store_dict.items() if key not in besides}
