"""Cached maps: stores that cannot serve a student are refused, and a store's size decides where its maps are held."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from cache_tools.codec import fit_windows
from cache_tools.skeletons import COCO
from cache_tools.store.spec import TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from student.batches.cached_maps import CachedMaps, fits_memory
from tests.samples.drawn_store import CELLS, FRAME, STREAM, draw_photos, write_store
from tests.samples.small_store import write_maps

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


@pytest.mark.parametrize("replay", ["peaks", "warp"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_store_of_windows_shows_the_same_maps(
    store: HeatmapStore, tmp_path: Path, device: str, replay: Literal["peaks", "warp"]
) -> None:
    exact, rows = store.read(range(ROWS)), np.arange(ROWS)
    codec = fit_windows(exact, FRAME.sigma).codec
    spec = replace(store.spec, codec="windows", basis=codec.digest, crops=None)
    windows = HeatmapStore.create(tmp_path / "windows", spec, store.instances, codec)
    for shard in windows.pending():
        part = windows.shard_rows(shard)
        write_maps(windows, shard, exact[part.start : part.stop])
    windows.finalize()
    to_teacher = torch.tensor([[0.9, -0.2, 3], [0.2, 0.9, 1]]).expand(ROWS, 2, 3).to(device)
    flipped = (torch.arange(ROWS) % 2 == 0).to(device)
    maps = []
    for of, gib in ((store, 1.0), (HeatmapStore.open(windows.url), 1.0), (HeatmapStore.open(windows.url), 0.0)):
        settings = replace(STREAM, replay=replay, memory_gib=gib)
        cached = CachedMaps(of, settings, ROWS, torch.device(device), mirror=COCO.mirror)
        codes = torch.from_numpy(cached.codes(rows)).to(device) if cached.needs_transfer else None
        peaks = torch.from_numpy(cached.peaks(rows)).to(device) if cached.needs_peaks else None
        maps.append(cached.maps(torch.from_numpy(rows).to(device), codes, peaks, to_teacher, flipped))
    assert maps[0].amax() > 0.5
    torch.testing.assert_close(maps[1], maps[0], atol=0.1, rtol=0)
    # on a GPU the first ones are those of peaks that the GPU found, whose logarithms are rounded in another way
    torch.testing.assert_close(maps[1], maps[2], atol=0 if device == "cpu" else 1e-4, rtol=0)


@pytest.mark.gpu
def test_on_a_gpu_maps_that_fit_need_no_transfer(store: HeatmapStore) -> None:
    cuda = torch.device("cuda", 0)
    assert not CachedMaps(store, STREAM, ROWS, cuda, mirror=COCO.mirror).needs_transfer
    assert CachedMaps(store, replace(STREAM, memory_gib=0.0), ROWS, cuda, mirror=COCO.mirror).needs_transfer
