"""CPU time of readers side by side: set-up, first epoch, later epochs in interleaved rounds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from measured import Row, at_least
from numpy.typing import NDArray

#: rows of a batch, and what was read of them
Batch = tuple[NDArray[np.int64], NDArray[Any]]
Epoch = Callable[[int], Iterator[Batch]]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Data in one format, ready to be read."""

    bytes_per_row: float
    #: makes the batches of an epoch, by its number
    epoch: Epoch
    #: whether rows come back as the reference has them
    comparable: bool = True


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One way to store and read the data. `prepare` writes it; ImportError: its package is missing."""

    name: str
    prepare: Callable[[], Reader]
    ours: bool = False


@dataclass(kw_only=True)
class Timing:
    """CPU times of one peer; `skipped` says why there are none."""

    peer: Peer
    reader: Reader | None = None
    skipped: str = ""
    write_seconds: float = 0.0
    #: until the first batch is there: opening, compiling, loading
    start_seconds: float = 0.0
    #: CPU-ms a row of each epoch
    epochs: list[float] = field(default_factory=list)

    @property
    def later(self) -> float:
        """Median of the epochs after the first."""
        return float(np.median(self.epochs[1:]))


def measure(peers: list[Peer], rounds: int, check: Callable[[str, Batch], None]) -> list[Timing]:
    """Write each format, read a first epoch of each, then `rounds` later epochs of each in turn.

    check: called with the first batch of every comparable reader.
    """
    timings = [prepared(peer) for peer in peers]
    running = [(timing, timing.reader) for timing in timings if timing.reader is not None]
    for timing, reader in running:
        before = time.process_time()
        batches = reader.epoch(0)
        first = next(batches)
        timing.start_seconds += time.process_time() - before
        if reader.comparable:
            check(timing.peer.name, first)
        timing.epochs.append(milliseconds_a_row(batches))
    for number in range(1, 1 + rounds):
        for timing, reader in running:
            timing.epochs.append(milliseconds_a_row(reader.epoch(number)))
    return timings


def prepared(peer: Peer) -> Timing:
    """Return the timing of a peer whose data are written, or why they are not."""
    timing, before = Timing(peer=peer), time.process_time()
    try:
        timing.reader = peer.prepare()
    except ImportError as error:
        timing.skipped = f"not installed: {error}"
    except Exception as error:
        if peer.ours:
            raise
        # the others are measured all the same
        timing.skipped = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    timing.write_seconds = time.process_time() - before
    return timing


def milliseconds_a_row(batches: Iterator[Batch]) -> float:
    """Read all batches; return the CPU milliseconds of all threads a row."""
    rows, before = 0, time.process_time()
    for index, _ in batches:
        rows += len(index)
    return (time.process_time() - before) / rows * 1e3


def table_lines(timings: list[Timing]) -> list[list[str]]:
    """Return a line a peer: name, bytes, set-up, first and later epochs, the ratio to kdcache's best, its target."""
    best = best_of(timings)
    lines = []
    for timing in timings:
        if timing.reader is None:
            lines.append([timing.peer.name, timing.skipped, *[""] * 6])
            continue
        ratio = ratio_to(best, timing)
        target = "" if timing.peer.ours else (">= 1, met" if ratio >= 1 else ">= 1, MISSED")
        lines.append([
            timing.peer.name,
            f"{timing.reader.bytes_per_row:,.0f}",
            f"{timing.write_seconds:.1f}",
            f"{timing.start_seconds:.1f}",
            f"{timing.epochs[0]:.3f}",
            f"{timing.later:.3f}",
            f"{ratio:.2f}",
            target,
        ])  # fmt: skip
    return lines


def compared(table: str, timings: list[Timing]) -> list[Row]:
    """Return the row of each peer for the table of all benchmarks."""
    best, rows = best_of(timings), []
    for timing in timings:
        what = f"{table}, {timing.peer.name} over {best.peer.name}"
        if timing.reader is None:
            rows.append(Row(what, None, note=timing.skipped))
        elif not timing.peer.ours:
            rows.append(at_least(what, ratio_to(best, timing), 1, "x", f"{timing.later:.3f} CPU-ms a row"))
    return rows


def best_of(timings: list[Timing]) -> Timing:
    """Return kdcache's fastest."""
    return min((timing for timing in timings if timing.peer.ours), key=lambda timing: timing.later)


def ratio_to(best: Timing, timing: Timing) -> float:
    """Return a peer's later epochs over kdcache's, within rounds, because a shared machine's speed changes."""
    return float(np.median(np.divide(timing.epochs[1:], best.epochs[1:])))


HEADS = ["", "bytes a row", "write, CPU-s", "start, CPU-s", "first epoch", "later epochs", "x kdcache", "target"]
