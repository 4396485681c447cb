"""Decode the small arrays of a store: one compressed chunk each, of the length that the spec implies."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools import geometry
from cache_tools.instances import Instances
from cache_tools.store.json_checks import is_count
from cache_tools.store.limits import ROWS_PER_BYTE
from cache_tools.store.objects import LARGEST_JSON
from cache_tools.store.sealed_json import from_bytes
from cache_tools.store.shard_bytes import decode_chunk, largest_object
from cache_tools.store.spec import StoreSpec

TYPES = {
    "instances/annotation_id": "<i8",
    "instances/image_id": "<i8",
    "instances/box": "<f8",
    "instances/area": "<f8",
    "instances/keypoints": "<f8",
    "instances/visibility": "|u1",
    "instances/image_size": "<i4",
    "instances/file_name": "|u1",
    "instances/crop_to_image": "<f8",
    "crops/index": "<i8",
    "crops/pixel_to_image": "<f8",
    "views/crop_to_image": "<f8",
    "views/flipped": "|b1",
}
#: of a photo's name, on average
LONGEST_NAME = 1024


def row_shape(name: str, spec: StoreSpec) -> tuple[int, ...]:
    """Return the shape of one row of a table."""
    return {
        "instances/box": (4,),
        "instances/keypoints": (spec.joints, 2),
        "instances/visibility": (spec.joints,),
        "instances/image_size": (2,),
        "instances/crop_to_image": (2, 3),
        "crops/index": (5,),
        "crops/pixel_to_image": (2, 3),
        "views/crop_to_image": (spec.views, 2, 3),
        "views/flipped": (spec.views,),
    }.get(name, ())


def decode_table(data: bytes | None, name: str, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """Return a table of a known shape; zeros where there is no object, because Zarr writes none for them.

    Raises ValueError where the bytes hold another number of values, and where a value is not finite.
    """
    dtype = np.dtype(TYPES[name])
    if data is None:
        return np.zeros(shape, dtype)
    table = np.empty(shape, np.uint8 if dtype == np.bool_ else dtype)
    try:
        decode_chunk(data, table)
    except ValueError as problem:
        raise ValueError(f"{where} is damaged: {problem}: expected {prod(shape)} values of {dtype}") from None
    if dtype == np.bool_:
        if table.max(initial=0) > 1:
            raise ValueError(f"{where} is damaged: a value is neither true nor false")
        return table.view(np.bool_)
    if dtype.kind == "f" and not np.isfinite(table).all():
        raise ValueError(f"{where} is damaged: a value is no finite number")
    return table


def check_lengths(recorded: Mapping[str, Any], spec: StoreSpec) -> None:
    """Raise ValueError where an object that belongs to no shard is recorded as longer than it can be."""
    for key, fingerprint in recorded.items():
        name = key.split("/c/")[0]
        if key == _object_of("file_name", spec):
            limit = largest_object(1, spec.rows * LONGEST_NAME)
        elif name in TYPES:
            limit = largest_object(1, spec.rows * prod(row_shape(name, spec)) * np.dtype(TYPES[name]).itemsize)
        else:
            limit = LARGEST_JSON
        if fingerprint["bytes"] > limit:
            raise ValueError(f"{key} has {fingerprint['bytes']} bytes: expected at most {limit}")


def static_keys(keys: Iterable[str], table: bool) -> list[str]:
    """Return the objects to read on opening. table: False: without the values of the instance table."""
    return [key for key in keys if table or not (key.startswith("instances/") and "/c/" in key)]


def read_instances(static: Mapping[str, bytes], spec: StoreSpec, url: str) -> tuple[Instances, geometry.Matrix]:
    """Decode the instance table, and the matrix (N, 2, 3) from teacher crop pixel to image pixel of each row.

    Raises ValueError where an array has another length than the store has rows.
    """
    ids = static.get(_object_of("annotation_id", spec), b"")
    if spec.rows > ROWS_PER_BYTE * max(len(ids), 1):
        raise ValueError(f"{url}: {len(ids)} bytes of annotation ids cannot be those of {spec.rows} rows")
    arrays = {}
    for field in (*(one.name for one in fields(Instances) if one.name != "file_name"), "crop_to_image"):
        name, key = f"instances/{field}", _object_of(field, spec)
        shape = (spec.rows, *row_shape(name, spec))
        arrays[field] = decode_table(static.get(key), name, shape, f"{url}/{key}")
    matrices = arrays.pop("crop_to_image")
    if (arrays["image_size"] < 0).any():
        raise ValueError(f"{url}/{_object_of('image_size', spec)}: a photo has a negative size")
    return Instances(**arrays, file_name=_file_names(static, spec, url)), matrices


def check_metadata(static: Mapping[str, bytes], spec: StoreSpec, code_shape: tuple[int, ...], dtype: str) -> None:
    """Raise ValueError where an array's metadata, by which other readers decode it, contradicts the spec."""
    maps = (spec.joints, *code_shape)
    expected = {"heatmaps": ((spec.rows, *maps), dtype)}
    if spec.views:
        expected["views/heatmaps"] = ((spec.rows, spec.views, *maps), dtype)
    for name, code in TYPES.items():
        in_store = {"crops": spec.crops is not None, "views": spec.views > 0}.get(name.split("/")[0], True)
        if in_store and name != "instances/file_name":
            expected[name] = ((spec.rows, *row_shape(name, spec)), np.dtype(code).name)
    for name, (shape, kind) in expected.items():
        found = _metadata(static, name)
        stated = (found.get("shape"), found.get("data_type"))
        if stated != (list(shape), kind):
            raise ValueError(f"{name}/zarr.json states {stated!r:.80}: expected shape {list(shape)} of {kind}")


def _file_names(static: Mapping[str, bytes], spec: StoreSpec, url: str) -> tuple[str, ...]:
    key = _object_of("file_name", spec)
    shape = _metadata(static, "instances/file_name").get("shape")
    longest = spec.rows * LONGEST_NAME
    if not (isinstance(shape, list) and len(shape) == 1 and is_count(shape[0]) and shape[0] <= longest):
        raise ValueError(f"{url}: the names of the photos have shape {shape!r:.40}: expected at most {longest} bytes")
    text = decode_table(static.get(key), "instances/file_name", (shape[0],), f"{url}/{key}").tobytes()
    if (count := text.count(b"\n") + 1) != spec.rows:
        raise ValueError(f"{url}/{key} holds {count} names: expected {spec.rows}, one a row")
    try:
        return tuple(text.decode().split("\n"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{url}/{key} holds names that are not UTF-8 ({error})") from None


def _metadata(static: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """Return the metadata of an array; nothing where there are none."""
    key = f"{name}/zarr.json"
    metadata = from_bytes(static[key], key) if key in static else None
    return metadata if isinstance(metadata, dict) else {}


def _object_of(field: str, spec: StoreSpec) -> str:
    return f"instances/{field}/c/0" + "/0" * len(row_shape(f"instances/{field}", spec))
