"""Stores of a few rendered persons, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.store.spec import CropsSpec, StoreSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore, Views

SHARD_ROWS = 16


def persons(rows: int, first_id: int = 100, seed: int = 0) -> Instances:
    """A table of `rows` persons, two a photo."""
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
    """Heatmaps (N, 17, h, w): a Gaussian of sigma 2 a joint, that of a person always the same."""
    y, x = np.arange(size[0])[:, None], np.arange(size[1])
    maps = np.empty((len(table), 17, *size), np.float32)
    for row, annotation in enumerate(table.annotation_id):
        rng = np.random.default_rng(annotation)
        centre_y, centre_x = rng.uniform(0, size[0] - 1, (17, 1, 1)), rng.uniform(0, size[1] - 1, (17, 1, 1))
        maps[row] = np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / 8) * rng.uniform(0.5, 1, (17, 1, 1))
    return maps


def jpegs(table: Instances) -> list[bytes]:
    """Bytes that stand for a JPEG file, of another length for each person."""
    return [np.random.default_rng(a).bytes(50 + int(a) % 40) for a in table.annotation_id]


def spec_of(table: Instances, **fields: Any) -> StoreSpec:
    """A spec with crops, two views and small shards, unless `fields` say otherwise."""
    chosen = {"shard_rows": SHARD_ROWS, "crops": CropsSpec("all", 90), "views": 2} | fields
    return make_spec(table, TeacherSpec("rendered", "digest", "Apache-2.0"), **chosen)


def write(store: HeatmapStore, shard: int) -> dict[str, Any]:
    """Write one shard of what the functions above give, its maps in pieces."""
    rows = store.shard_rows(shard)
    table = store.instances.take(slice(rows.start, rows.stop))
    maps, n, k = peaks(table, store.codec.heatmap_size), len(table), store.spec.views
    ids = table.annotation_id.astype(np.float64)
    return store.write_shard(
        shard,
        (maps[i : i + 5] for i in range(0, n, 5)),
        crops=jpegs(table) if store.spec.crops else None,
        crop_pixel_to_image=np.broadcast_to(ids[:, None, None], (n, 2, 3)) if store.spec.crops else None,
        crop_size=np.stack([ids, ids + 1], 1) if store.spec.crops else None,
        views=Views(
            np.repeat(maps[:, None], k, axis=1) * 0.5,
            np.broadcast_to(ids[:, None, None, None], (n, k, 2, 3)),
            np.broadcast_to(ids[:, None] % 2 == 0, (n, k)),
        )
        if k
        else None,
    )


def built(url: str | Path, table: Instances, **fields: Any) -> HeatmapStore:
    """A finished store."""
    store = HeatmapStore.create(url, spec_of(table, **fields), table)
    for shard in store.pending():
        write(store, shard)
    store.finalize()
    return HeatmapStore.open(url)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
