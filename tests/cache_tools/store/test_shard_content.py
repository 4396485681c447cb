"""What a shard accepts, batch by batch, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import (
    crops_of,
    files_of,
    peaks,
    persons,
    spec_of,
    write_maps,
)

ROWS = 40  # two full shards and half a one


def test_maps_that_are_not_finite_name_their_persons_and_nothing_is_written(tmp_path: Path) -> None:
    table = persons(ROWS)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, crops=None, views=0), table)
    before = files_of(tmp_path / "store")
    maps = peaks(table.take(slice(16, 32)))
    maps[3, 5, 1, 1], maps[9, 0, 0, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match="NaN or infinity for annotation 119, 125"):
        write_maps(store, 1, maps)
    assert files_of(tmp_path / "store") == before


def test_values_outside_are_clamped_and_counted(tmp_path: Path) -> None:
    table = persons(3)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, crops=None, views=0, codec="exact8"), table)
    maps = peaks(table)
    maps[0, 0, :2], maps[2, 1, 3, :5] = -0.3, 1.5
    write_maps(store, 0, maps)
    assert store.finalize()["clamped"] == {"below": 96, "above": 5}
    assert np.abs(store.read([0, 1, 2]) - np.clip(maps, 0, 1)).max() < 0.0101


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    table = persons(ROWS)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, views=1), table)
    maps, n, rows = peaks(table.take(slice(0, 16))), 16, np.arange(16)
    crops, flipped = crops_of(table)[:n], np.zeros((n, 1), bool)
    askew = [crops[0]._replace(pixel_to_image=np.eye(3)), *crops[1:]]
    content = store.new_shard(0)
    for arguments, message in (
        ((rows, maps), "crops not given"),
        ((rows, maps[:9], crops), r"heatmaps of shape \(9, 17, 64, 48\): expected \(16, 17, 64, 48\)"),
        ((rows, maps[..., :40], crops), r"heatmaps of shape .* expected \(16, 17, 64, 48\)"),
        ((rows, maps, askew), r"crop.pixel_to_image has shape \(3, 3\)"),
        ((rows, maps, crops[:3]), "3 crops"),
        ((rows + 1, maps, crops), "row 16 is not one of shard 0: expected rows 0-15"),
        ((np.zeros(n), maps, crops), "added twice"),
    ):
        with pytest.raises(ValueError, match=message):
            content.add(*arguments)
    with pytest.raises(ValueError, match="crop_to_image has shape"):
        content.add_views(rows, maps[:, None], np.zeros((n, 2, 3)), flipped)
    content = store.new_shard(0)
    content.add(rows[2:], maps[2:], crops[2:])
    with pytest.raises(ValueError, match="added twice"):
        content.add(rows[2:3], maps[2:3], crops[2:3])
    with pytest.raises(ValueError, match="heatmaps of 14 of its 16 rows, row 0 is the first without"):
        store.write_shard(content)
    content.add(rows[:2], maps[:2], crops[:2])
    with pytest.raises(ValueError, match="views of 0 of its 16 rows"):
        store.write_shard(content)
    content.add_views(rows, maps[:, None], np.zeros((n, 1, 2, 3)), flipped)
    with pytest.raises(ValueError, match="made for the store"):
        HeatmapStore.open(tmp_path / "store", mode="r+").write_shard(content)
    assert store.pending() == [0, 1, 2]
    with pytest.raises(ValueError, match="shards 0 to 2"):
        store.new_shard(3)
    with pytest.raises(IndexError, match="rows 0 to 39"):
        store.read([40])


def test_blank_maps_are_stored_as_any_others(tmp_path: Path) -> None:
    table = persons(11)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, crops=None, views=0), table)
    write_maps(store, 0, np.zeros((11, 17, 64, 48), np.float32))
    store.finalize()
    assert not store.read(np.arange(11)).any()
    store.load()
    assert not store.read(np.arange(11)).any()
    assert not np.asarray(zarr.open_array(tmp_path / "store", path="heatmaps", mode="r")[:]).any()
