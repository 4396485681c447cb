"""Stores are created, filled and finished; what is in the way is refused."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_tools.store.spec import CacheMismatch, FrameSpec
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import (
    files_of,
    peaks,
    persons,
    spec_of,
    write,
)

ROWS = 40  # two full shards and half a one


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


def test_the_receipt_adds_up(finished_store: Path) -> None:
    store = HeatmapStore.open(finished_store)
    receipt = store.read_receipt()
    assert receipt is not None
    assert receipt["rows"] == ROWS
    assert receipt["error"]["rows"] == ROWS
    assert receipt["error"]["rmse_at_peaks"] < 0.006
    files = files_of(finished_store)
    assert receipt["bytes"]["heatmaps"] == sum(
        len(data) for name, data in files.items() if name.startswith("heatmaps/")
    )
    assert receipt["spec"] == store.spec.to_json()


def test_another_spec_is_a_mismatch(finished_store: Path) -> None:
    table = persons(ROWS, seed=1)
    with pytest.raises(CacheMismatch, match=r"annotations.digest: found .*\n  codec: found .compact\""):
        HeatmapStore.open_or_create(finished_store, spec_of(table, codec="compact80"), table)


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


def test_a_file_name_with_a_line_break_is_refused(tmp_path: Path) -> None:
    table = replace(persons(2), file_name=("a.jpg", "b\n.jpg"))
    with pytest.raises(ValueError, match="holds a line break"):
        HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    assert not HeatmapStore.exists(tmp_path / "store")


def test_a_finished_store_gives_its_receipt_again(finished_store: Path) -> None:
    store = HeatmapStore.open(finished_store)
    assert store.finalize() == store.read_receipt()


def test_a_url_whose_package_is_missing_says_which_extra_brings_it() -> None:
    # in a process of its own: fsspec keeps what it has imported
    code = "import sys; sys.modules['s3fs'] = None\n"
    code += "from cache_tools.store.writer import HeatmapStore\n"
    code += "HeatmapStore.exists('s3://bucket/store')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert re.match(r"ValueError: s3://bucket/store needs another package .*kdcache\[cloud\]", last), done.stderr


def test_without_its_table_a_store_takes_shards_of_given_persons(tmp_path: Path) -> None:
    table = persons(ROWS)
    spec, maps = spec_of(table, crops=None, views=0), peaks(table)
    for name in ("whole", "shards"):
        HeatmapStore.create(tmp_path / name, spec, table)
    whole = HeatmapStore.open(tmp_path / "whole", mode="r+")
    shards = HeatmapStore.open(tmp_path / "shards", mode="r+", table=False)
    for shard in range(whole.shards):
        rows = list(whole.shard_rows(shard))
        ids = table.annotation_id[rows]
        for store, content in ((whole, whole.new_shard(shard)), (shards, shards.new_shard(shard, ids))):
            content.add(rows, maps[rows])
            store.write_shard(content)
    assert files_of(tmp_path / "shards") == files_of(tmp_path / "whole")
    for read in (lambda: shards.instances, lambda: shards.crop_to_image, shards.finalize):
        with pytest.raises(RuntimeError, match="opened without its instance table"):
            read()
