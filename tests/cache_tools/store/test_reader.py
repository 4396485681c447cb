"""Rows, views, crops and geometry come back as they were written, from every kind of storage."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import zarr

from cache_tools import geometry
from cache_tools.codec.profiles import PROFILES, SUPERSEDED
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import (
    SHARD_ROWS,
    built,
    jpegs,
    peaks,
    persons,
)

ROWS = 40  # two full shards and half a one


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("codec", [*PROFILES, *SUPERSEDED])
def test_rows_come_back_in_any_order(codec: str, load: bool, tmp_path: Path) -> None:
    table = persons(ROWS)
    store = built(tmp_path / "store", table, codec=codec, views=0)
    if load:
        store.load(crops=True)
        shutil.rmtree(tmp_path / "store" / "heatmaps")  # nothing is read from the disk any more
        shutil.rmtree(tmp_path / "store" / "crops")
    rows = [39, 0, 17, 17, 31, 15, 16]
    expected = store.codec.decode(store.codec.encode(peaks(table)))
    assert np.array_equal(store.read(rows), expected[rows])
    assert store.read_crops(rows) == [jpegs(table)[row] for row in rows]
    assert store.read([]).shape == (0, 17, 64, 48)


def test_the_table_and_its_geometry_come_back(finished_store: Path) -> None:
    store, table = HeatmapStore.open(finished_store), persons(ROWS)
    assert store.instances.digest() == table.digest()
    assert store.instances.file_name == table.file_name
    assert np.array_equal(store.crop_to_image, geometry.crop_to_image(table.box))
    assert np.array_equal(store.cell_to_crop, geometry.cell_to_crop("udp"))
    assert np.array_equal(store.read_crop_sizes(range(ROWS))[:, 0], table.annotation_id)
    assert np.array_equal(store.read_crop_matrices(range(ROWS))[:, 1, 2], table.annotation_id)


@pytest.mark.parametrize("load", [False, True])
def test_views_come_back_with_their_geometry(finished_store: Path, load: bool) -> None:
    store, table, rows = HeatmapStore.open(finished_store), persons(ROWS), [33, 2]
    if load:
        store.load(views=True)
    views = store.read_views(rows)
    expected = store.codec.decode(store.codec.encode(peaks(table)[rows] * 0.5))
    for k in range(2):
        assert np.array_equal(views.maps[:, k], expected)
    assert np.array_equal(views.crop_to_image[:, 1, 0, 0], table.annotation_id[rows])
    assert views.flipped.tolist() == [[False, False], [True, True]]


def test_a_store_in_memory_and_by_file_url(finished_store: Path) -> None:
    table = persons(ROWS)
    store, on_disk = built("memory://test/store", table), HeatmapStore.open(f"file://{finished_store}")
    rows = [39, 1, 20]
    assert store.read_receipt() == on_disk.read_receipt()
    for load in (False, True):
        if load:
            store.load(views=True, crops=True)
        assert np.array_equal(store.read(rows), on_disk.read(rows))
        assert store.read_crops(rows) == on_disk.read_crops(rows)
    store = HeatmapStore.open("memory://test/store", mode="r+")
    store.forget(0)
    assert store.pending() == [0]


class WithoutRanges(SimpleHTTPRequestHandler):
    """The plainest web server: whole files only, nothing listed."""

    def log_message(self, *_: object) -> None:
        pass

    def list_directory(self, path: object) -> None:
        self.send_error(403)


def test_a_store_opens_over_http(finished_store: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(WithoutRanges, directory=str(finished_store)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        store, on_disk, rows = HeatmapStore.open(url), HeatmapStore.open(finished_store), [39, 1, 20]
        assert store.is_finished()
        assert np.array_equal(store.read(rows), on_disk.read(rows))
        assert store.read_crops(rows) == on_disk.read_crops(rows)
        store.load(views=True, crops=True)
        assert np.array_equal(store.read_views(rows).maps, on_disk.read_views(rows).maps)
        with pytest.raises(ValueError, match="can only be read"):
            HeatmapStore.open(url, mode="r+")
        with pytest.raises(FileNotFoundError, match="no store at"):
            HeatmapStore.open(url + "/nothing")
    finally:
        server.shutdown()
        server.server_close()


def test_threads_read_the_same_rows(finished_store: Path) -> None:
    store, rows, seen = HeatmapStore.open(finished_store), np.arange(ROWS)[::-1], []

    def read() -> None:
        seen.append((store.read_codes(rows), store.read_crops(rows)))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    for codes, crops in seen:
        assert np.array_equal(codes, seen[0][0])
        assert crops == seen[0][1]


def test_plain_zarr_reads_all_of_it(finished_store: Path) -> None:
    def values(name: str) -> np.ndarray:
        return np.asarray(zarr.open_array(finished_store, path=name, mode="r")[:])

    store, table = HeatmapStore.open(finished_store), persons(ROWS)
    assert np.array_equal(values("heatmaps"), store.read_codes(np.arange(ROWS)))
    assert np.array_equal(values("views/heatmaps"), store.read_view_codes(np.arange(ROWS))[0])
    assert values("instances/file_name").tobytes().decode().split("\n") == list(table.file_name)
    assert values("crops/packed/1").tobytes() == b"".join(jpegs(table)[SHARD_ROWS : 2 * SHARD_ROWS])


def test_a_store_exists_once_its_root_is_written(finished_store: Path, tmp_path: Path) -> None:
    assert HeatmapStore.exists(finished_store)
    assert not HeatmapStore.exists(tmp_path)
    shutil.copytree(finished_store / "heatmaps", tmp_path / "store" / "heatmaps")
    assert not HeatmapStore.exists(tmp_path / "store")
    assert not HeatmapStore.exists("memory://nothing/here")


def test_what_a_store_does_not_hold_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = built(tmp_path / "plain", persons(3), crops=None, views=0)
    for read in (store.read_crops, store.read_crop_sizes, store.read_crop_matrices):
        with pytest.raises(ValueError, match="holds no crops: build it with --crops"):
            read([0])
    with pytest.raises(ValueError, match="holds no views: build it with --views K"):
        store.read_views([0])
    with pytest.raises(IndexError, match=r"rows -1 to 3: .* has rows 0 to 2"):
        store.read([3, -1])
    with pytest.raises(ValueError, match='mode \'w\': expected "r" or "r\\+"'):
        HeatmapStore.open(tmp_path / "plain", mode="w")
