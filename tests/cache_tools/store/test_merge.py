"""Stores of different persons, joined: the same codes, crops and views as one build of them all."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_tools.store.merge import merge_stores
from cache_tools.store.spec import CacheMismatch, FrameSpec
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.commands.merge import command
from tests.samples.small_store import built, files_of, persons, write

ROWS = 22


def test_a_merged_store_is_the_store_of_all_rows(tmp_path: Path) -> None:
    table = persons(ROWS)
    whole = built(tmp_path / "whole", table)
    parts = [table.take(np.arange(start, ROWS, 3)) for start in range(3)]  # interleaved, photos shared
    for i, part in enumerate(parts):
        built(tmp_path / str(i), part)
    receipt = merge_stores([tmp_path / "2", tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    merged, rows = HeatmapStore.open(tmp_path / "merged", expect=whole.spec), np.arange(ROWS)
    assert verify_store(tmp_path / "merged") == []
    assert np.array_equal(merged.read(rows), whole.read(rows))
    assert merged.read_crops(rows) == whole.read_crops(rows)
    for ours, theirs in zip(merged.read_view_codes(rows), whole.read_view_codes(rows), strict=True):
        assert np.array_equal(ours, theirs)
    assert whole.read_receipt() is not None
    assert receipt == whole.read_receipt()  # the measured error, the sizes and the digest, too


@given(data=st.data())
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_parts_join(data: st.DataObject, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    frame = FrameSpec(input_size=(64, 48), heatmap_size=(16, 12))
    table = persons(12)
    part_of = np.array(data.draw(st.lists(st.integers(0, 1), min_size=12, max_size=12)))
    if part_of.min() == part_of.max():
        return
    for part, shard_rows in enumerate(data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))):
        chosen = table.take(np.flatnonzero(part_of == part))
        built(tmp_path / str(part), chosen, shard_rows=shard_rows, frame=frame, crops=None, views=0)
    merge_stores([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    merged = HeatmapStore.open(tmp_path / "merged")
    whole = built(tmp_path / "whole", table, frame=frame, crops=None, views=0)
    assert np.array_equal(merged.read_codes(np.arange(12)), whole.read_codes(np.arange(12)))


def test_an_interrupted_merge_goes_on(tmp_path: Path) -> None:
    for i in range(2):
        built(tmp_path / str(i), persons(20, first_id=100 * (i + 1)))
    merge_stores([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    complete = files_of(tmp_path / "merged")
    HeatmapStore.open(tmp_path / "merged", mode="r+").forget(1)
    shutil.rmtree(tmp_path / "merged" / "heatmaps" / "c" / "1")
    merge_stores([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    assert files_of(tmp_path / "merged") == complete


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    first = built(tmp_path / "first", persons(8))
    built(tmp_path / "same", persons(8))
    built(tmp_path / "codec", persons(8, first_id=200), codec="exact8")
    with pytest.raises(ValueError, match="both hold annotation 100, 101, 102, 103, 104 and 3 more"):
        merge_stores([tmp_path / "first", tmp_path / "same"], tmp_path / "out")
    with pytest.raises(CacheMismatch, match=r'codec: found "exact8", expected "compact"'):
        merge_stores([tmp_path / "first", tmp_path / "codec"], tmp_path / "out")
    with pytest.raises(ValueError, match="expected two or more"):
        merge_stores([tmp_path / "first"], tmp_path / "out")
    table = persons(8, first_id=300)
    spec = replace(first.spec, annotations=replace(first.spec.annotations, digest=table.digest()))
    write(HeatmapStore.create(tmp_path / "unfinished", spec, table), 0)
    with pytest.raises(ValueError, match="unfinished is not finished"):
        merge_stores([tmp_path / "first", tmp_path / "unfinished"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_merge_command(tmp_path: Path) -> None:
    for i in range(2):
        built(tmp_path / str(i), persons(4, first_id=100 * (i + 1)))
    arguments = [str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "merged"), "--json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0
    assert json.loads(result.output)["rows"] == 8
