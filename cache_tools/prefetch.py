"""Ordered parallel map with bounded prefetch; used to read photos in threads."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

# Tasks ahead of the consumer for each thread: enough to hide the disk, few enough to hold few photos.
PREFETCHED = 4
Item = TypeVar("Item")
Value = TypeVar("Value")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may run on, which in a container is less than the machine has."""
    # not on macOS
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ordered_map(function: Callable[[Item], Value], items: Sequence[Item], threads: int) -> Generator[Value, None, None]:
    """Yield function(item) of each item, in order; an exception is raised in the consumer.

    Close the generator to stop early.
    """
    waiting: deque[Future[Value]] = deque()
    with ThreadPoolExecutor(threads, "prefetch") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > PREFETCHED * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
