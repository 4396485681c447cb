"""The rows of each batch: a function of (seed, step) and nothing else.

Epochs follow each other in one endless stream of rows, and batches are cut from it: every row comes exactly once an
epoch, every batch is full, and the whole state of the sampler is the number of the next step. Threads, processes and
resumes cannot change the order.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Rows of every step of one of `world` processes."""

    #: of the store. An epoch is as many persons, also where only some rows are drawn: runs on some and on all rows take
    #: the same steps.
    rows: int
    #: the rows that are drawn, in order; None: all
    drawn: NDArray[np.int64] | None = field(default=None, compare=False)
    #: of one process
    batch_size: int
    seed: int = 0
    #: None shuffles all rows, for a store in memory. Else shards of that many rows come in random order, and rows are
    #: shuffled within windows of `window` rows: a store on disk is read a few shards at a time.
    shard_rows: int | None = None
    window: int = 8192
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError("nothing to train on: the store has no rows; build it from annotations with keypoints")
        if not 0 <= self.rank < self.world:
            raise ValueError(f"rank {self.rank} of {self.world} processes: expected 0 to {self.world - 1}")

    @property
    def steps_per_epoch(self) -> float:
        """Steps of as many persons as the store has rows; a fraction, because batches may span two epochs."""
        return self.rows / (self.batch_size * self.world)

    def steps(self, epochs: float) -> int:
        """Return the steps of a run of `epochs` epochs, at least one."""
        return max(1, math.ceil(epochs * self.steps_per_epoch - 1e-9))

    def joint_batch(self, step: int) -> NDArray[np.int64]:
        """Return the rows (world * batch_size,) of all processes together, in order of rank."""
        size = self.batch_size * self.world
        first, end = step * size, (step + 1) * size
        parts = []
        for epoch in range(first // self._count, (end - 1) // self._count + 1):
            start = epoch * self._count
            parts.append(self.epoch(epoch)[max(first - start, 0) : end - start])
        return np.concatenate(parts)

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows (batch_size,) of this process, and how often each was drawn before."""
        share = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        positions = step * self.batch_size * self.world + np.arange(self.batch_size * self.world)
        return self.joint_batch(step)[share], positions[share] // self._count

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """Return every row that is drawn once, in the order of this pass over them."""
        order = _epoch_order(self._count, self.seed, epoch, self.shard_rows, self.window)
        return order if self.drawn is None else self.drawn[order]

    @property
    def _count(self) -> int:
        """Return the number of rows that are drawn."""
        return self.rows if self.drawn is None else len(self.drawn)


@lru_cache(maxsize=4)
def _epoch_order(rows: int, seed: int, epoch: int, shard_rows: int | None, window: int) -> NDArray[np.int64]:
    random = np.random.default_rng([seed, epoch])
    if shard_rows is None:
        order = random.permutation(rows)
    else:
        starts = random.permutation(np.arange(0, rows, shard_rows))
        by_shard = np.concatenate([np.arange(start, min(start + shard_rows, rows)) for start in starts])
        windows = [random.permutation(by_shard[first : first + window]) for first in range(0, rows, window)]
        order = np.concatenate(windows)
    # the cached array is shared between all callers
    order.setflags(write=False)
    return order
