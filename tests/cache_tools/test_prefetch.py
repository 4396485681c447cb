"""The ordered parallel map: order, errors, how far it runs ahead, and that it stops."""

import threading
import time
from contextlib import closing

import pytest

from cache_tools.prefetch import PREFETCHED, ordered_map, usable_cpus


def test_results_come_in_the_order_of_the_items_and_from_several_threads() -> None:
    together = threading.Barrier(3, timeout=30)

    def square(item: int) -> int:
        # the first three items pass only when three threads have one each
        if item < 3:
            together.wait()
        return item * item

    assert list(ordered_map(square, range(50), 3)) == [item * item for item in range(50)]
    assert list(ordered_map(square, [], 3)) == []


def test_an_error_is_raised_in_its_turn() -> None:
    def invert(item: int) -> float:
        return 1 / item

    values = ordered_map(invert, [1, 2, 0, 4], 2)
    assert next(values) == 1
    assert next(values) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(values)


def test_it_runs_a_bounded_number_of_items_ahead_and_stops_when_closed() -> None:
    begun: list[int] = []
    with closing(ordered_map(lambda item: begun.append(item), range(1000), 2)) as values:
        next(values)
        time.sleep(0.2)
        assert len(begun) <= 1 + PREFETCHED * 2
    ended = len(begun)
    time.sleep(0.1)
    assert len(begun) == ended


def test_there_is_a_cpu() -> None:
    assert usable_cpus() >= 1
