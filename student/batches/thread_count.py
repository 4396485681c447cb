"""How many threads fill batches: as many as the device needs, found in the first batches of a training."""

import os
from concurrent.futures import Future

import torch

from cache_tools.prefetch import usable_cpus

#: threads at first; on a CPU, where the training itself uses the cores, it stays so
FIRST_THREADS = 2
#: batches between two decisions, of which so many that the device had to wait for are too many
WINDOW, TOO_MANY = 8, 3
# the first batches of a loader come when they are filled, however many threads there are
FILLING = 3


class ThreadCount:
    """Decides about the number of threads; `batch_came` is called for every batch.

    limit: the largest number of threads. A number that is reached is not lowered: an idle thread costs nothing.
    """

    def __init__(self, threads: int, limit: int) -> None:
        self.threads, self.limit = threads, max(limit, threads)
        self.settled = threads >= limit
        self._batches, self._waits = -FILLING, 0

    def batch_came(self, device_waited: bool) -> int:
        """Return how many threads are added. device_waited: it had finished its work before the batch came."""
        if self.settled:
            return 0
        self._batches += 1
        self._waits += device_waited and self._batches > 0
        if self._batches < WINDOW:
            return 0
        added = min(max(1, self.threads // 2), self.limit - self.threads) if self._waits >= TOO_MANY else 0
        self.threads += added
        self.settled = added == 0
        self._batches = self._waits = 0
        return added

    def __str__(self) -> str:
        """Return the decision as a message of one line."""
        if self.threads < self.limit:
            return f"loader: {self.threads} threads keep the device busy, of {self.limit} that may be used"
        return (
            f"loader: all {self.limit} threads that may be used fill batches; the device may wait for them: "
            "train.pixels keeps pixels decoded, train.workers sets another number"
        )


def thread_limit(workers: int | None, device: torch.device) -> int:
    """Return the largest number of threads of this process: `train.workers`, or what the usable CPUs allow.

    torchrun's processes of a host share its CPUs; one CPU of each is for the training loop.
    """
    if workers is not None:
        return workers
    if device.type != "cuda":
        return FIRST_THREADS
    return max(FIRST_THREADS, usable_cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1)


def wait_for_batch(future: Future[None], device: torch.device) -> bool:
    """Wait until a batch is filled; return whether the device had nothing more to do before it was."""
    if future.done():
        future.result()
        return False
    step = None
    if device.type == "cuda":
        # behind the training step that was begun with the batch before
        step = torch.cuda.Event()  # type: ignore[no-untyped-call]
        step.record(torch.cuda.current_stream(device))
    future.result()
    return step is None or bool(step.query())  # type: ignore[no-untyped-call]
