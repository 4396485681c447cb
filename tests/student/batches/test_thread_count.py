"""Threads are added while the device waits for batches, up to those that may be used, and only in the beginning."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from student.batches import thread_count
from student.batches.thread_count import FILLING, FIRST_THREADS, WINDOW, ThreadCount, thread_limit

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@given(st.integers(1, 8), st.integers(1, 40), st.lists(st.booleans(), max_size=200))
def test_threads_grow_within_the_limit_until_the_device_no_longer_waits(
    threads: int, limit: int, waits: list[bool]
) -> None:
    found = ThreadCount(threads, limit)
    added = 0
    for waited in waits:
        was_settled = found.settled
        more = found.batch_came(waited)
        assert more == 0 or (waited is not None and not was_settled)
        added += more
        assert found.threads == threads + added <= max(limit, threads)
    if not any(waits):
        assert added == 0


def test_a_device_that_always_waits_gets_every_thread() -> None:
    found = ThreadCount(2, 13)
    steps = []
    for _ in range(FILLING + 10 * WINDOW):
        if found.batch_came(True):
            steps.append(found.threads)
    assert steps == [3, 4, 6, 9, 13]
    assert found.settled
    assert str(found).startswith("loader: all 13 threads")


def test_a_device_that_is_fed_gets_no_more() -> None:
    found = ThreadCount(2, 13)
    for number in range(FILLING + WINDOW):
        # the first batches come when they are filled
        assert found.batch_came(number < FILLING) == 0
    assert found.settled
    assert found.batch_came(True) == 0
    assert str(found) == "loader: 2 threads keep the device busy, of 13 that may be used"


def test_the_limit_is_the_setting_or_the_processs_share_of_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_count, "usable_cpus", lambda: 16)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert [thread_limit(5, CPU), thread_limit(5, CUDA)] == [5, 5]
    assert thread_limit(None, CPU) == FIRST_THREADS
    assert thread_limit(None, CUDA) == 15
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert thread_limit(None, CUDA) == 3
    monkeypatch.setattr(thread_count, "usable_cpus", lambda: 1)
    assert thread_limit(None, CUDA) == FIRST_THREADS
