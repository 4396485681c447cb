"""A map over processes that ends with the process that started it."""

import contextlib
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2


@contextlib.contextmanager
def process_map(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Yield a `map` over this many processes, in order. Spawned, not forked: the caller may hold threads or a GPU."""
    if workers == 1:
        yield map
        return
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker)
    try:
        yield functools.partial(executor.map, chunksize=8)
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
