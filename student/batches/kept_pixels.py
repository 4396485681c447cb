"""Decoded crops that are kept in memory: each is decoded once by whichever thread or process needs it first."""

from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import Image
from student.batches.shared_bytes import Gather, gather_alone, share_bytes
from student.host_memory import available_bytes

#: by how much crops are shrunk: each is kept at the densities at which views needed it
SHRINKS = (1, 2, 4, 8)
#: bytes between two looks at how much memory is left
LOOK_BYTES = 2**26
COUNT_BYTES = 8


class KeptPixels:
    """Decoded crops of the rows of a store, within `budget` bytes; safe from several threads and processes.

    sizes (N, 2): height and width of each row's crop. reserve: bytes that must stay available on this machine; where
    they are not, no more crops are kept. gather: of all processes, of which those on this host share the crops; place:
    which of them this is, of `places`.

    Every crop has its place in memory from the start, and a flag that is set after its pixels are written. Two that
    decode the same crop write the same bytes. A crop that does not fit is never kept later: every row comes once an
    epoch, and replacing one by another would gain nothing.
    """

    def __init__(
        self,
        sizes: NDArray[np.int64],
        budget: int,
        *,
        reserve: int = 0,
        gather: Gather = gather_alone,
        place: int = 0,
        places: int = 1,
    ) -> None:
        self.sizes, self.budget, self._reserve = sizes, budget, reserve
        shrunk = -(-sizes[:, None, :] // np.array(SHRINKS)[:, None])  # (N, shrinks, 2)
        lengths = 3 * shrunk.prod(-1)
        end = np.cumsum(lengths).reshape(lengths.shape)
        self._start = end - lengths
        flags = lengths.size
        counts = COUNT_BYTES * places
        memory = share_bytes(counts + flags + int(lengths.sum()), gather).bytes
        # of kept bytes, one count a process: nobody writes another's
        self._counts, self._place = memory[:counts].view(np.int64), place
        self._flags = memory[counts : counts + flags].reshape(lengths.shape)
        self._pixels = memory[counts + flags :]
        self._lock, self._look_at, self._is_full = Lock(), 0, False

    @property
    def kept_bytes(self) -> int:
        """Bytes of the crops that are kept, of all processes together."""
        return int(self._counts.sum())

    def find(self, row: int, shrink: int) -> Image | None:
        """Return a crop (h, w, 3) that is kept, not to be written to; None where it is not kept."""
        level = SHRINKS.index(shrink)
        return self._view(row, level) if self._flags[row, level] else None

    def add(self, row: int, shrink: int, decode: Callable[[Image], object]) -> Image | None:
        """Return a crop after decode(array) has written it to its array (h, w, 3); None where there is no room."""
        level = SHRINKS.index(shrink)
        crop = self._view(row, level)
        if not self._has_room(crop.nbytes):
            return None
        decode(crop)
        with self._lock:
            # the pixels are written before this: a lock lies between the two
            if not self._flags[row, level]:
                self._counts[self._place] += crop.nbytes
                self._flags[row, level] = 1
        return crop

    def _view(self, row: int, level: int) -> Image:
        height, width = (-(-int(side) // SHRINKS[level]) for side in self.sizes[row])
        start = int(self._start[row, level])
        return self._pixels[start : start + 3 * height * width].reshape(height, width, 3)

    def _has_room(self, size: int) -> bool:
        if self._is_full:
            return False
        kept = self.kept_bytes
        if kept >= self._look_at:
            self._look_at = kept + LOOK_BYTES
            available = available_bytes()
            self._is_full = available is not None and available < self._reserve + LOOK_BYTES
        return not self._is_full and kept + size <= self.budget
