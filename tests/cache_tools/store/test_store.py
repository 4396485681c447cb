"""Stores of a few persons: written, interrupted, resumed, read by every way there is."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_tools import geometry
from cache_tools.codec.profiles import PROFILES
from cache_tools.store.spec import CacheMismatch, FrameSpec
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import (
    SHARD_ROWS,
    built,
    crops_of,
    files_of,
    jpegs,
    peaks,
    persons,
    spec_of,
    write,
    write_maps,
)

ROWS = 40  # two full shards and half a one


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a finished store of 40 persons with crops and two views."""
    folder = tmp_path_factory.mktemp("undisturbed") / "store"
    built(folder, persons(ROWS))
    return folder


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("codec", PROFILES)
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


@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sizes_and_any_order_of_shards(data: st.DataObject, tmp_path: Path) -> None:
    n = data.draw(st.integers(1, 17))
    chunk = data.draw(st.integers(1, 5))
    shard_rows = chunk * data.draw(st.integers(1, 4))
    table, folder = persons(n), tmp_path / "any"
    shutil.rmtree(folder, ignore_errors=True)
    frame = FrameSpec(input_size=(64, 48), heatmap_size=(16, 12))
    spec = spec_of(table, shard_rows=shard_rows, chunk_rows=chunk, frame=frame)
    store = HeatmapStore.create(folder, spec, table)
    for shard in data.draw(st.permutations(range(store.shards))):
        write(store, shard)
    store.finalize()
    rows = data.draw(st.lists(st.integers(0, n - 1), max_size=30))
    store = HeatmapStore.open(folder, expect=spec)
    expected = store.codec.encode(peaks(table, (16, 12)))
    assert np.array_equal(store.read_codes(rows), expected[rows])
    assert np.array_equal(zarr.open_array(folder, path="heatmaps", mode="r")[:], expected)


def test_the_table_and_its_geometry_come_back(undisturbed: Path) -> None:
    store, table = HeatmapStore.open(undisturbed), persons(ROWS)
    assert store.instances.digest() == table.digest()
    assert store.instances.file_name == table.file_name
    assert np.array_equal(store.crop_to_image, geometry.crop_to_image(table.box))
    assert np.array_equal(store.cell_to_crop, geometry.cell_to_crop("udp"))
    assert np.array_equal(store.read_crop_sizes(range(ROWS))[:, 0], table.annotation_id)
    assert np.array_equal(store.read_crop_matrices(range(ROWS))[:, 1, 2], table.annotation_id)


@pytest.mark.parametrize("load", [False, True])
def test_views_come_back_with_their_geometry(undisturbed: Path, load: bool) -> None:
    store, table, rows = HeatmapStore.open(undisturbed), persons(ROWS), [33, 2]
    if load:
        store.load(views=True)
    views = store.read_views(rows)
    expected = store.codec.decode(store.codec.encode(peaks(table)[rows] * 0.5))
    for k in range(2):
        assert np.array_equal(views.maps[:, k], expected)
    assert np.array_equal(views.crop_to_image[:, 1, 0, 0], table.annotation_id[rows])
    assert views.flipped.tolist() == [[False, False], [True, True]]


def test_the_receipt_adds_up(undisturbed: Path) -> None:
    store = HeatmapStore.open(undisturbed)
    receipt = store.read_receipt()
    assert receipt is not None
    assert receipt["rows"] == ROWS
    assert receipt["error"]["rows"] == ROWS
    assert receipt["error"]["rmse_at_peaks"] < 0.006
    files = files_of(undisturbed)
    assert receipt["bytes"]["heatmaps"] == sum(
        len(data) for name, data in files.items() if name.startswith("heatmaps/")
    )
    assert receipt["spec"] == store.spec.to_json()


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


def test_another_spec_is_a_mismatch(undisturbed: Path) -> None:
    table = persons(ROWS, seed=1)
    with pytest.raises(CacheMismatch, match=r"annotations.digest: found .*\n  codec: found .compact\""):
        HeatmapStore.open_or_create(undisturbed, spec_of(table, codec="compact6"), table)


def test_what_is_no_store_is_said_so(tmp_path: Path) -> None:
    table = persons(ROWS)
    with pytest.raises(FileNotFoundError, match=r"there is no store at .*kdcache build"):
        HeatmapStore.open(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileNotFoundError, match=r"is no store, it has no zarr.json"):
        HeatmapStore.open(tmp_path)
    with pytest.raises(ValueError, match=r"other files \(notes.txt"):
        HeatmapStore.create(tmp_path, spec_of(table), table)
    zarr.create_group(tmp_path / "group")
    with pytest.raises(ValueError, match="not a kdcache store"):
        HeatmapStore.open(tmp_path / "group")
    HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    with pytest.raises(FileExistsError, match="already holds a store"):
        HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    with pytest.raises(ValueError, match="make the spec from this table"):
        HeatmapStore.create(tmp_path / "other", spec_of(table), persons(3))
    with pytest.raises(ValueError, match="open to read"):
        write(HeatmapStore.open(tmp_path / "store"), 0)


def test_a_store_in_memory_and_by_file_url(undisturbed: Path) -> None:
    table = persons(ROWS)
    store, on_disk = built("memory://test/store", table), HeatmapStore.open(f"file://{undisturbed}")
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


def test_a_store_opens_over_http(undisturbed: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(WithoutRanges, directory=str(undisturbed)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        store, on_disk, rows = HeatmapStore.open(url), HeatmapStore.open(undisturbed), [39, 1, 20]
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


def test_threads_read_the_same_rows(undisturbed: Path) -> None:
    store, rows, seen = HeatmapStore.open(undisturbed), np.arange(ROWS)[::-1], []

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


def test_zarr_alone_reads_all_of_it(undisturbed: Path) -> None:
    group = zarr.open_group(undisturbed, mode="r")
    store, table = HeatmapStore.open(undisturbed), persons(ROWS)
    assert np.array_equal(group["heatmaps"][:], store.read_codes(np.arange(ROWS)))
    assert np.array_equal(group["views/heatmaps"][:], store.read_view_codes(np.arange(ROWS))[0])
    assert bytes(group["instances/file_name"][:]).decode().split("\n") == list(table.file_name)
    assert bytes(group["crops/packed/1"][:]) == b"".join(jpegs(table)[SHARD_ROWS : 2 * SHARD_ROWS])


def test_blank_maps_are_stored_as_any_others(tmp_path: Path) -> None:
    table = persons(11)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, crops=None, views=0), table)
    write_maps(store, 0, np.zeros((11, 17, 64, 48), np.float32))
    store.finalize()
    assert not store.read(np.arange(11)).any()
    store.load()
    assert not store.read(np.arange(11)).any()
    assert not zarr.open_array(tmp_path / "store", path="heatmaps", mode="r")[:].any()
