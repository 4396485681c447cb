"""Builds of the codec `windows`: the basis comes before the first shard, once, and is held to."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.store.merge import merge_stores
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from pipeline.cli import kdcache
from tests.samples.small_build import ROWS, arguments, content, small_job


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build of three shards."""
    return replace(small_job(tmp_path), codec="windows")


def test_a_build_learns_its_basis_once(
    job: BuildJob, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        receipt = build(job)
    assert f"a basis of 30 windows of 15x15 cells, on {ROWS} rows" in caplog.text
    assert (receipt["unfit"], receipt["spec"]["format_version"]) == (0, 3)
    assert receipt["error"]["rmse_at_peaks"] < 0.01
    whole = content(job.store)
    # a resumed build takes the basis of its store
    HeatmapStore.open(job.store, mode="r+").forget(1)
    with monkeypatch.context() as resumed:
        resumed.setattr("pipeline.building.window_basis.fit_windows", None)
        assert build(job) == receipt
    assert content(job.store) == whole
    # and so does any other that is told to
    other = replace(job, store=f"{job.store}.2", basis=job.store, shard_rows=8)
    assert build(other)["spec"]["basis"] == receipt["spec"]["basis"]
    shown = CliRunner().invoke(kdcache, ["info", job.store]).output
    assert f"0 of {17 * ROWS} maps" in shown


def test_workers_write_the_same_bytes(job: BuildJob) -> None:
    build(job)
    shared = replace(job, store=f"{job.store}.2")
    build(shared, workers=2)
    assert content(shared.store) == content(job.store)


def test_parts_share_one_basis(job: BuildJob) -> None:
    parts = [replace(job, store=f"{job.store}.{number}", part=(number, 2)) for number in (1, 2)]
    build(parts[0])
    with pytest.raises(ValueError, match=r"part 2 of 2.*give the store of part 1 as --basis"):
        build(parts[1])
    build(replace(parts[1], basis=parts[0].store))
    assert merge_stores([part.store for part in parts], job.store)["rows"] == ROWS


def test_another_basis_is_refused(job: BuildJob) -> None:
    build(job)
    other = replace(job, store=f"{job.store}.2", flip=True)
    build(other)
    with pytest.raises(CacheMismatch, match='basis: found "'):
        build(replace(job, basis=other.store))
    with pytest.raises(CacheMismatch, match='codec: found "windows", expected "compact"'):
        build(replace(job, codec="compact"))
    plain = replace(job, store=f"{job.store}.3", codec="compact")
    build(plain)
    with pytest.raises(CacheMismatch, match='codec: found "compact", expected "windows"'):
        build(replace(plain, codec="windows"))
    with pytest.raises(ValueError, match="a store of compact: expected one of windows"):
        build(replace(job, store=f"{job.store}.4", basis=plain.store))
    result = CliRunner().invoke(kdcache, arguments(plain, "--basis", job.store))
    assert result.exit_code != 0
    assert "--basis" in str(result.exception) + result.output
