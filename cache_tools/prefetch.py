"""Work done ahead of whoever needs its result, by threads, a bounded step in front: photos are read so."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4  # tasks in front of the consumer for every thread: hides the disk, holds few photos
Task = TypeVar("Task")
Result = TypeVar("Result")


def usable_cpus() -> int:
    """CPUs that this process may run on: in a container or a job of a cluster, fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ordered_map(work: Callable[[Task], Result], tasks: Sequence[Task], threads: int) -> Generator[Result, None, None]:
    """work(task) of each task, in order; an exception reaches whoever consumes. Close the iterator to stop early."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "ahead") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
