"""One training at a time into a folder: the living one is named, a killed one gives way."""

import signal
import socket
from pathlib import Path

import pytest

from cache_tools.folder_lock import folder_lock
from cache_tools.store.writer import HeatmapStore
from student.run_record import LOCK
from student.training.distributed import join
from student.training.run_lock import run_locks
from tests.samples.drawn_store import quick_settings
from tests.samples.short_run import equal, run
from tests.samples.training_process import TrainingProcess, run_forked

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.xdist_group("training processes")]


def test_a_second_training_is_refused_and_a_killed_one_gives_way(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path
) -> None:
    slow = quick_settings(train__checkpoint_minutes=1e-9)
    lock = tmp_path / "run" / LOCK
    with TrainingProcess(store, tmp_path, slow, variables={"SLURM_JOB_ID": "4711"}) as training:
        training.wait_until(lambda: lock.exists() and lock.stat().st_size)
        # before it has loaded anything it holds the lock, and it keeps it while it is stopped
        training.send(signal.SIGSTOP)
        pid = training.process.pid
        named = rf"run is being trained by another process \(.*, process {pid}, job '4711'\): wait for"
        with pytest.raises(BlockingIOError, match=named):
            run(store, tmp_path / "run", slow)
    assert lock.exists()
    run(store, tmp_path / "run", slow)
    assert equal(tmp_path / "run", undisturbed)
    assert not lock.exists()


def test_of_several_students_none_begins_where_one_is_being_trained(store: HeatmapStore, tmp_path: Path) -> None:
    pair = [quick_settings("a"), quick_settings("b")]
    with folder_lock(tmp_path / "b", LOCK, "being trained"), pytest.raises(BlockingIOError, match="b is being trained"):
        run(store, tmp_path, *pair)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_needs_no_lock(store: HeatmapStore, undisturbed: Path) -> None:
    with folder_lock(undisturbed, LOCK, "being trained"):
        (record,) = run(store, undisturbed)
    assert record.finished


def lock_in_one_of_two(rank: int, folder: Path, port: int) -> None:
    """Try to lock a folder that is locked, then one that is not, and write what came of it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}.items():
            patch.setenv(name, str(value))
        patch.setenv("MASTER_ADDR", "127.0.0.1")
        with join("cpu") as process:
            found = []
            for name in ("taken", "free"):
                try:
                    with run_locks([folder / name], process):
                        found.append("held")
                except BlockingIOError as error:
                    found.append(str(error))
        (folder / f"{rank}.txt").write_text("\n".join(found))


def test_of_two_processes_the_first_holds_it_and_both_are_refused(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with folder_lock(tmp_path / "taken", LOCK, "being trained"):
        run_forked([(lock_in_one_of_two, rank, tmp_path, port) for rank in range(2)])
    first, second = ((tmp_path / f"{rank}.txt").read_text().splitlines() for rank in range(2))
    assert first[0].startswith(f"{tmp_path / 'taken'} is being trained by another process")
    assert second[0] == "the folder of the run cannot be locked: the first process says why"
    assert first[1] == second[1] == "held"
