"""Stores of a few rendered persons, for tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from cache_tools.crops import StoredCrop
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import StoreSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore

SHARD_ROWS = 16


def persons(rows: int, first_id: int = 100, seed: int = 0) -> Instances:
    """Return a table of `rows` persons, two a photo."""
    rng = np.random.default_rng([seed, first_id])
    ids = np.arange(first_id, first_id + rows)
    return Instances(
        annotation_id=ids,
        image_id=ids // 2,
        box=rng.uniform(10, 60, (rows, 4)),
        area=rng.uniform(100, 900, rows),
        keypoints=rng.uniform(0, 100, (rows, 17, 2)),
        visibility=rng.integers(0, 3, (rows, 17)).astype(np.uint8),
        image_size=np.full((rows, 2), 160, np.int32),
        file_name=tuple(f"фото {i // 2}.jpg" for i in ids),
    )


def peaks(table: Instances, size: tuple[int, int] = (64, 48)) -> NDArray[np.float32]:
    """Return heatmaps (N, 17, h, w) with a Gaussian of sigma 2 a joint, always the same for the same person."""
    y, x = np.arange(size[0])[:, None], np.arange(size[1])
    maps = np.empty((len(table), 17, *size), np.float32)
    for row, annotation in enumerate(table.annotation_id):
        rng = np.random.default_rng(annotation)
        centre_y, centre_x = rng.uniform(0, size[0] - 1, (17, 1, 1)), rng.uniform(0, size[1] - 1, (17, 1, 1))
        maps[row] = np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / 8) * rng.uniform(0.5, 1, (17, 1, 1))
    return maps


def cones(table: Instances, size: tuple[int, int] = (64, 48)) -> NDArray[np.float32]:
    """Return heatmaps (N, 17, h, w) of one round hill a joint, by arithmetic that is the same on every processor."""
    y, x = np.arange(size[0])[:, None], np.arange(size[1])
    maps = np.empty((len(table), 17, *size), np.float32)
    for row, annotation in enumerate(table.annotation_id):
        rng = np.random.default_rng(annotation)
        centre_y, centre_x = rng.uniform(0, size[0] - 1, (17, 1, 1)), rng.uniform(0, size[1] - 1, (17, 1, 1))
        maps[row] = np.maximum(0, 1 - ((y - centre_y) ** 2 + (x - centre_x) ** 2) / 32)
    return maps


def jpegs(table: Instances) -> list[bytes]:
    """Return a JPEG file of another size and colour for each person."""
    return [_jpeg(int(a)) for a in table.annotation_id]


@cache
def _jpeg(annotation: int) -> bytes:
    colour = np.random.default_rng(annotation).integers(0, 256, 3)
    pixels = np.full((annotation, annotation + 1, 3), colour, np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, 90, colorspace="RGB", colorsubsampling="444"))


def spec_of(table: Instances, **fields: Any) -> StoreSpec:
    """Return a spec with crops, two views and small shards, unless `fields` differ."""
    chosen: dict[str, Any] = {"shard_rows": SHARD_ROWS, "crops": CropsSpec("all", 90), "views": 2} | fields
    return make_spec(table, TeacherSpec("rendered", "digest", "Apache-2.0"), **{"skeleton": COCO} | chosen)


def crops_of(table: Instances) -> list[StoredCrop]:
    """Return `jpegs` with matrices and sizes that tell the persons apart."""
    ids = table.annotation_id.tolist()
    return [StoredCrop(jpeg, np.full((2, 3), i), (i, i + 1)) for jpeg, i in zip(jpegs(table), ids, strict=True)]


def noise_in_place_of_crops(table: Instances) -> list[StoredCrop]:
    """Return random bytes that are no JPEG file and that no library's version changes; a store cannot read them."""
    jpegs = [np.random.default_rng(a).bytes(50 + int(a) % 40) for a in table.annotation_id]
    return [StoredCrop(jpeg, *crop[1:]) for jpeg, crop in zip(jpegs, crops_of(table), strict=True)]


def write(
    store: HeatmapStore,
    shard: int,
    maps_of: Callable[[Instances, tuple[int, int]], NDArray[np.float32]] = peaks,
    crops_from: Callable[[Instances], list[StoredCrop]] = crops_of,
) -> dict[str, Any]:
    """Write one shard of `maps_of` its persons, `crops_from` them and views, in batches of five."""
    content = store.new_shard(shard)
    rows, count = np.array(content.rows), store.spec.views
    table = store.instances.take(rows)
    maps, ids = maps_of(table, store.codec.heatmap_size), table.annotation_id
    crops = crops_from(table)
    for start in range(0, len(rows), 5):
        part = slice(start, start + 5)
        content.add(rows[part], maps[part], crops[part] if store.spec.crops else None)
    if count:
        content.add_views(
            rows,
            np.repeat(maps[:, None], count, axis=1) * 0.5,
            np.broadcast_to(ids[:, None, None, None], (len(rows), count, 2, 3)),
            np.broadcast_to(ids[:, None] % 2 == 0, (len(rows), count)),
        )
    return store.write_shard(content)


def write_maps(store: HeatmapStore, shard: int, maps: NDArray[np.float32]) -> dict[str, Any]:
    """Write one shard of a store without crops and views."""
    content = store.new_shard(shard)
    content.add(content.rows, maps)
    return store.write_shard(content)


def built(url: str | Path, table: Instances, **fields: Any) -> HeatmapStore:
    """Write a finished store and open it."""
    store = HeatmapStore.create(url, spec_of(table, **fields), table)
    for shard in store.pending():
        write(store, shard)
    store.finalize()
    return HeatmapStore.open(url)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
