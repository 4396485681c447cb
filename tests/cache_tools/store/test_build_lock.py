"""One builder at a time: a living one is named and waited for, what a killed one left is taken over."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cache_tools import lock_holder
from cache_tools.store import build_lock as module
from cache_tools.store.build_lock import LOCK, build_lock
from cache_tools.store.objects import Objects
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import files_of, persons, spec_of, write

HOLD = """
import sys, time
from cache_tools.store.build_lock import build_lock
with build_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock, and kill it in the end."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def lock_of_another_machine() -> bytes:
    """Return what a builder elsewhere writes."""
    holder = {"host": "node7", "machine": "another", "pid": 4242, "started": 1, "token": "t", "beat": time.time()}
    return json.dumps(holder).encode().ljust(lock_holder.RECORD_BYTES)


@contextlib.contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Call the action again and again in a thread during the block."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.02):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times of the lock."""
    monkeypatch.setattr(lock_holder, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(lock_holder, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.02)


def test_a_living_builder_is_named_and_a_killed_one_gives_way(tmp_path: Path) -> None:
    with holder(tmp_path / "store") as process:
        message = f"being built by another process .*, process {process.pid}"
        with pytest.raises(BlockingIOError, match=message), build_lock(tmp_path / "store"):
            pass
    assert (tmp_path / "store" / LOCK).exists()
    with build_lock(tmp_path / "store"):
        assert json.loads((tmp_path / "store" / LOCK).read_bytes())["pid"] == os.getpid()
    # nothing was built in it
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_two_threads_do_not_share_a_lock(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}{tmp_path}/store"
    with build_lock(url), pytest.raises(BlockingIOError), build_lock(url):
        pass
    with build_lock(url):
        pass
    assert Objects(url).get(LOCK) is None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_lock_of_another_machine_is_watched(tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{scheme}{tmp_path}/store"
    objects = Objects(url, write=True)
    objects.set(LOCK, lock_of_another_machine())
    with build_lock(url):
        # it was silent
        assert json.loads(objects.get(LOCK) or b"")["pid"] == os.getpid()
    objects.set(LOCK, lock_of_another_machine())
    monkeypatch.setattr(lock_holder, "SILENCE_SECONDS", 30)

    def beat() -> None:
        if objects.folder is None:
            objects.set(LOCK, lock_of_another_machine())
        else:
            # in place, as its holder does
            with open(objects.folder / LOCK, "r+b") as file:
                file.write(lock_of_another_machine())

    with repeated(beat), pytest.raises(BlockingIOError, match="'node7', process 4242"), build_lock(url):
        pass
    assert b"node7" in (objects.get(LOCK) or b"")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("content", [b"{", b"\xff" * 30, b"[]"])
def test_a_lock_that_cannot_be_read_is_watched(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be half written: what changes is held, what stays as it is was left by a machine that lost its power."""
    url = f"memory://{tmp_path}/store"
    objects = Objects(url, write=True)
    objects.set(LOCK, content)
    with build_lock(url):
        assert json.loads(objects.get(LOCK) or b"")["pid"] == os.getpid()
    objects.set(LOCK, content)
    monkeypatch.setattr(lock_holder, "SILENCE_SECONDS", 60)
    spaces = itertools.count(1)
    with (
        repeated(lambda: objects.set(LOCK, content + b" " * next(spaces))),
        pytest.raises(BlockingIOError, match="its lock does not say which"),
        build_lock(url),
    ):
        pass


def test_a_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/store"
    with build_lock(url):
        left = json.loads(Objects(url).get(LOCK) or b"")
    Objects(url, write=True).set(LOCK, json.dumps(left | {"started": left["started"] - 1}).encode())
    with build_lock(url):
        pass


def test_of_creators_that_start_together_one_wins(tmp_path: Path) -> None:
    """Without the lock, too, there is one root, and its store opens for its own spec only."""
    table = persons(20)
    for attempt in range(5):
        folder, barrier, created = tmp_path / str(attempt), threading.Barrier(2), []

        def create(codec: str, folder: Path = folder, barrier: threading.Barrier = barrier) -> None:
            spec = spec_of(table, codec=codec, crops=None, views=0)
            barrier.wait()
            with contextlib.suppress(ValueError, FileExistsError):
                created.append(HeatmapStore.create(folder, spec, table).spec.codec)  # noqa: B023

        threads = [threading.Thread(target=create, args=[codec]) for codec in ("compact", "exact8")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(created) <= 1


def test_the_lock_leaves_nothing_in_a_store(tmp_path: Path) -> None:
    table = persons(20)
    with build_lock(tmp_path / "store"):
        store = HeatmapStore.open_or_create(tmp_path / "store", spec_of(table), table)
        for shard in store.pending():
            write(store, shard)
        store.finalize()
    assert LOCK not in files_of(tmp_path / "store")
    assert store.is_finished()
