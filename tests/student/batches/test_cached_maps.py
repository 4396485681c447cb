"""Cached maps: stores that cannot serve a student are refused, and a store's size decides where its maps are held."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cache_tools.skeletons import COCO
from cache_tools.store.spec import TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from student.batches.cached_maps import CachedMaps, fits_memory
from tests.samples.drawn_store import CELLS, FRAME, STREAM, draw_photos, write_store

ROWS = 12
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "a.zarr", folder / "photos", draw_photos(folder / "photos", ROWS))


def test_a_store_without_views_cannot_replay_them(store: HeatmapStore) -> None:
    with pytest.raises(ValueError, match="holds no views: build it with --views K"):
        CachedMaps(store, replace(STREAM, replay="views"), ROWS, CPU, mirror=COCO.mirror)


def test_a_store_of_blank_maps_is_refused(tmp_path: Path) -> None:
    table = draw_photos(tmp_path / "photos", 4)
    spec = make_spec(
        table, TeacherSpec("none", "none"), skeleton=COCO, frame=FRAME, codec="exact8", shard_rows=16, chunk_rows=8
    )
    with pytest.raises(ValueError, match="built with no teacher, and its heatmaps are blank"):
        CachedMaps(HeatmapStore.create(tmp_path / "blank.zarr", spec, table), STREAM, 4, CPU, mirror=COCO.mirror)


def test_maps_are_held_in_memory_up_to_the_limit(store: HeatmapStore) -> None:
    gib = ROWS * 17 * CELLS[0] * CELLS[1] / 2**30  # exact8: a byte a cell
    assert fits_memory(store, ROWS, gib)
    assert not fits_memory(store, ROWS + 1, gib)
    assert CachedMaps(store, replace(STREAM, memory_gib=gib), ROWS, CPU, mirror=COCO.mirror).in_memory
    assert not CachedMaps(store, replace(STREAM, memory_gib=gib), ROWS + 1, CPU, mirror=COCO.mirror).in_memory


@pytest.mark.gpu
def test_on_a_gpu_maps_that_fit_need_no_transfer(store: HeatmapStore) -> None:
    cuda = torch.device("cuda", 0)
    assert not CachedMaps(store, STREAM, ROWS, cuda, mirror=COCO.mirror).needs_transfer
    assert CachedMaps(store, replace(STREAM, memory_gib=0.0), ROWS, cuda, mirror=COCO.mirror).needs_transfer
