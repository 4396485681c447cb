"""Interrupted in every way there is, a store resumes to the bytes of one that was not."""

import multiprocessing
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import files_of, persons, spec_of, write

ROWS = 40  # two full shards and half a one


def test_equal_builds_are_equal_byte_for_byte_in_any_order(finished_store: Path, tmp_path: Path) -> None:
    table = persons(ROWS)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    for shard in (2, 0, 1):
        write(store, shard)
        write(store, shard)  # a task may run twice
    store.finalize()
    assert files_of(tmp_path / "store") == files_of(finished_store)


def build_all(folder: str, only: int | None = None) -> None:
    """Write all pending shards, or only one; worker processes run this."""
    table = persons(ROWS)
    store = HeatmapStore.open_or_create(folder, spec_of(table), table)
    for shard in store.pending() if only is None else [only]:
        write(store, shard)
    if only is None:
        store.finalize()


def test_several_processes_write_one_store(finished_store: Path, tmp_path: Path) -> None:
    folder, table = tmp_path / "store", persons(ROWS)
    HeatmapStore.create(folder, spec_of(table), table)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(build_all, [(str(folder), shard) for shard in (0, 1, 2)])
    HeatmapStore.open(folder, mode="r+").finalize()
    assert files_of(folder) == files_of(finished_store)


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    """Python running `code` with this file as `t`; returns when its imports are done."""
    prelude = "import sys; sys.path.insert(0, sys.argv[1]); folder = sys.argv[2]"
    prelude += "; import tests.cache_tools.store.test_interrupted_writes as t"
    prelude += "; print('ready', flush=True)"
    command = [sys.executable, "-c", f"{prelude}\n{code}", str(Path(__file__).parents[3]), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_at_any_moment_a_build_resumes_to_the_same_bytes(finished_store: Path, tmp_path: Path) -> None:
    seen = set()
    for attempt, count in enumerate((0, 3, 30, 45, 54)):
        folder = tmp_path / f"store{attempt}"
        process = start("t.build_all(folder)", folder)
        # counted, not read: temporary files come and go
        while sum(path.is_file() for path in folder.rglob("*")) < count and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        left = files_of(folder)
        seen.add(len(left))
        (folder / "heatmaps").mkdir(parents=True, exist_ok=True)
        if "receipt.json" not in left:
            (folder / "heatmaps" / ".0.abc.partial").write_bytes(b"half")  # what a killed write can leave
        build_all(str(folder))
        assert files_of(folder) == files_of(finished_store), f"killed when there was {sorted(left)}"
    assert len(seen) > 2, f"the kills came at the same moments: {seen} files"


def test_a_full_disk_leaves_a_store_that_resumes(finished_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    process = start(
        "import resource; table = t.persons(t.ROWS); store = t.HeatmapStore.create(folder, t.spec_of(table), table)\n"
        "t.write(store, 0); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); t.write(store, 1)",
        folder,
    )
    assert "OSError: [Errno 27] File too large" in process.communicate()[1]
    assert HeatmapStore.open(folder).pending() == [1, 2]
    build_all(str(folder))
    assert files_of(folder) == files_of(finished_store)


def test_only_the_ledger_says_that_a_shard_is_done(tmp_path: Path) -> None:
    table = persons(ROWS)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    write(store, 1)
    assert store.pending() == [0, 2]
    assert len(store.read([16])) == 1
    with pytest.raises(ValueError, match=r"shard 0 \(rows 0-15\) is not built yet"):
        store.read([3])
    with pytest.raises(ValueError, match=r"2 of 3 shards are missing \(0, 2\).*again"):
        store.finalize()
    (tmp_path / "store" / "ledger" / "1.json").unlink()  # the data alone is nothing
    assert HeatmapStore.open(tmp_path / "store").pending() == [0, 1, 2]


def test_a_creation_that_was_interrupted_is_done_again(finished_store: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_store / "instances", tmp_path / "store" / "instances")
    build_all(str(tmp_path / "store"))
    assert files_of(tmp_path / "store") == files_of(finished_store)


def test_a_forgotten_shard_is_made_again(finished_store: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_store, tmp_path / "store")
    store = HeatmapStore.open(tmp_path / "store", mode="r+")
    store.forget(1)
    assert not store.is_finished()
    assert store.pending() == [1]
    build_all(str(tmp_path / "store"))
    assert files_of(tmp_path / "store") == files_of(finished_store)
