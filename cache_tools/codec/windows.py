"""The codec `windows`: up to four windows a map around its maxima, each a sum of windows learnt from a teacher.

A code is (4, 2 + n) bytes a map: in each of four slots the cell (y, x) at the window's middle, and n coefficients of
the basis as signed bytes. Windows of a map add up; a slot of zeros adds nothing. Entries of the basis are multiples of
UNIT, small enough that every sum is exact in float32: a map is decoded to the same bits on every machine and device.

A map that is broad, flat or has more than four peaks does not fit; `count_unfit` counts such maps.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.codec.profiles import LEAST_VALUE, Codes, Maps

SLOTS = 4
#: windows of the basis, and therefore coefficients of a slot
COEFFICIENTS = 30
#: a window is placed where the map is off by at least this
LEAST_PEAK = 0.04
#: a map that is off by more in any cell does not fit
FIT_ERROR = 0.1
#: of the basis' integers; a power of two
UNIT = 2.0**-17
#: windows are this many times sigma high and wide, to each side of their middle
REACH = 3.5
LEAST_SIDE, LARGEST_SIDE = 7, 31
#: of heatmaps, whose cells are counted in a byte
LARGEST_MAP = 256
LARGEST_COEFFICIENT = 127
# integers up to here, and sums that stay below, are exact in float32
LARGEST_EXACT = 2**24
# maps decoded at once: they stay in the CPU's cache from one step to the next
BLOCK_MAPS = 128


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowsCodec:
    """The codec `windows` at one heatmap size, with the basis of one teacher."""

    name: ClassVar[str] = "windows"
    dtype: ClassVar[str] = "uint8"
    heatmap_size: tuple[int, int]  #: height, width in cells
    basis: NDArray[np.int32]  #: (n, side, side) windows in units of UNIT, side is odd

    @property
    def code_shape(self) -> tuple[int, int]:
        """Slots of a map, and bytes of a slot."""
        return SLOTS, 2 + len(self.basis)

    @property
    def side(self) -> int:
        """Height and width of a window in cells."""
        return int(self.basis.shape[1])

    @cached_property
    def windows(self) -> Maps:
        """The basis as values: (n, side * side)."""
        values: Maps = (self.basis.reshape(len(self.basis), -1) * UNIT).astype(np.float32)
        return values

    @cached_property
    def digest(self) -> str:
        """sha256 of the basis, by which two stores are known to share it."""
        return hashlib.sha256(json.dumps(self.basis.tolist()).encode()).hexdigest()

    def encode(self, maps: ArrayLike) -> Codes:
        """Return codes (..., 4, 2 + n) of maps (..., h, w), clamped to [0, 1]; each map is encoded independently.

        Windows are placed one after the other where the map without those before is highest.
        """
        values = np.clip(np.asarray(maps, np.float32), LEAST_VALUE, 1)
        flat = values.reshape(-1, *self.heatmap_size)
        codes = np.zeros((len(flat), *self.code_shape), np.uint8)
        rest, corners = _padded(len(flat), self.heatmap_size, self.side)
        inner = _without_margin(rest, self.side // 2)
        inner[:] = flat
        which = np.arange(len(flat))
        highest, cell = _highest(flat)
        for slot in range(SLOTS):
            is_peak = highest >= LEAST_PEAK
            which, cell = which[is_peak], cell[is_peak]
            if not len(which):
                break
            y, x = np.divmod(cell, self.heatmap_size[1])
            # each window by a product of its own: sums of a large product depend on the windows beside
            found = np.matmul(corners[which, y, x].reshape(len(which), 1, -1), self._analysis)[:, 0]
            coefficients = np.rint(np.clip(found, -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT))
            codes[which, slot, 0], codes[which, slot, 1] = y, x
            codes[which, slot, 2:] = coefficients.astype(np.int8).view(np.uint8)
            if slot < SLOTS - 1:
                corners[which, y, x] -= (coefficients @ self.windows).reshape(-1, self.side, self.side)
                highest, cell = _highest(inner[which])
        return codes.reshape(*values.shape[:-2], *self.code_shape)

    def decode(self, codes: Codes) -> Maps:
        """Return maps (..., h, w) float32 of codes (..., 4, 2 + n)."""
        flat = codes.reshape(-1, *self.code_shape)
        maps = np.empty((len(flat), *self.heatmap_size), np.float32)
        sums, corners = _padded(min(BLOCK_MAPS, len(flat)), self.heatmap_size, self.side)
        inner = _without_margin(sums, self.side // 2)
        for start in range(0, len(flat), BLOCK_MAPS):
            block = flat[start : start + BLOCK_MAPS]
            drawn = []
            for slot in range(SLOTS):
                which = np.flatnonzero(block[:, slot, 2:].any(axis=1))
                used = block[which, slot]
                at = which, used[:, 0], used[:, 1]
                corners[at] += (used[:, 2:].view(np.int8).astype(np.float32) @ self.windows).reshape(
                    -1, self.side, self.side
                )
                drawn.append(at)
            maps[start : start + BLOCK_MAPS] = inner[: len(block)]
            for at in drawn:
                corners[at] = 0
        return maps.reshape(*codes.shape[:-2], *self.heatmap_size)

    def count_unfit(self, maps: ArrayLike, codes: Codes) -> int:
        """Return how many maps their codes are off by more than FIT_ERROR from, in any cell."""
        exact = np.clip(np.asarray(maps, np.float32), 0, 1)
        return int(np.count_nonzero(np.abs(self.decode(codes) - exact).max(axis=(-2, -1)) > FIT_ERROR))

    def find_wrong(self, codes: Codes) -> NDArray[np.bool_]:
        """Return where codes are none that an encoder writes: windows whose middle lies outside of the map."""
        wrong = np.zeros(codes.shape, np.bool_)
        wrong[..., :2] = codes[..., :2] >= np.array(self.heatmap_size)
        return wrong

    def are_codes(self, codes: Codes) -> bool:
        """Return whether an encoder could have written all of these codes."""
        height, width = self.heatmap_size
        return int(codes[..., 0].max(initial=0)) < height and int(codes[..., 1].max(initial=0)) < width

    def to_json(self) -> dict[str, Any]:
        """Return everything that a reader without this package needs, as lists and numbers."""
        return {
            "name": self.name,
            "heatmap_size": list(self.heatmap_size),
            "code_shape": list(self.code_shape),
            "dtype": self.dtype,
            "unit": UNIT,
            "basis": self.basis.tolist(),
        }

    @cached_property
    def _analysis(self) -> Maps:
        """Coefficients of a window, as a matrix (side * side, n): least squares."""
        return np.linalg.pinv(self.windows.astype(np.float64)).astype(np.float32)


def side_of_windows(sigma: float) -> int:
    """Return the height and width in cells of windows for peaks of this standard deviation."""
    return min(max(2 * round(REACH * sigma) + 1, LEAST_SIDE), LARGEST_SIDE)


def _padded(count: int, size: tuple[int, int], side: int) -> tuple[Maps, Maps]:
    """Return blank maps with half a window round them, and all of their windows (count, h, w, side, side), writable.

    The window at (y, x) is the one whose middle is cell (y, x) of the map.
    """
    margin = side // 2
    padded = np.zeros((count, size[0] + 2 * margin, size[1] + 2 * margin), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2), writeable=True)
    return padded, windows


def _without_margin(padded: Maps, margin: int) -> Maps:
    return padded[:, margin : padded.shape[1] - margin, margin : padded.shape[2] - margin]


def _highest(maps: Maps) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the highest value of each map (n, h, w), and its cell, counted row by row."""
    flat = maps.reshape(len(maps), -1)
    cell = flat.argmax(axis=1)
    return flat[np.arange(len(flat)), cell], cell
