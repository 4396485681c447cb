"""Random numbers that depend on the seed and on nothing else.

NumPy promises that the words of its bit generators stay the same in every version, but not what `Generator` makes of
them, which also goes through the C library's logarithms. Here words become numbers by arithmetic that is exact, or that
IEEE 754 fixes to the last bit.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats

T = TypeVar("T")


class RandomStream:
    """One of the independent streams of a seed, with methods like those of `numpy.random.Generator`."""

    def __init__(self, *seed: int) -> None:
        """Start the stream of these numbers, 0 or above: a seed, and the stream's number among those of the seed."""
        self._words = np.random.PCG64(seed).random_raw

    def random(self) -> float:
        """Return a number in [0, 1), in steps of 2^-53."""
        return (self._words() >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`."""
        return low + (high - low) * self.random()

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> float:
        """Return a nearly normal number: a sum of twelve uniform ones, never more than 6 sd off."""
        total = 0
        for word in self._words(3).tolist():
            total += (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return mean + sd * ((total - 6 * 0xFFFF) * 2.0**-16)

    def exponential(self, mean: float) -> float:
        """Return an exponential number: comparisons only, no logarithm (von Neumann 1951)."""
        whole = 0
        while True:
            first = last = self.random()
            falling = 1
            while (following := self.random()) < last:
                last, falling = following, falling + 1
            if falling % 2:
                return mean * (whole + first)
            whole += 1

    def gamma(self, shape: float, scale: float) -> float:
        """Return a gamma number of a `shape` that is a multiple of one half."""
        value = 0.0
        for _ in range(int(shape)):
            value += self.exponential(1.0)
        if shape % 1:
            deviate = self.normal()
            value += 0.5 * deviate * deviate
        return scale * value

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high` - 1."""
        return low + (self._words() * (high - low) >> 64)

    def choice(self, options: Sequence[T], shares: Sequence[float] | None = None) -> T:
        """Return one of the options; `shares` are their probabilities, equal by default."""
        if shares is None:
            return options[self.integer(0, len(options))]
        left = self.random()
        for option, share in zip(options, shares, strict=True):
            left -= share
            if left < 0:
                return option
        return options[-1]

    def uniforms(self, *shape: int) -> Floats:
        """Return numbers in [0, 1), float32 in steps of 2^-24."""
        return (self._array(shape) >> 40).astype(np.float32) * np.float32(2.0**-24)

    def normals(self, *shape: int) -> Floats:
        """Return nearly normal numbers of mean 0 and sd 1, as `normal` does."""
        total, words = np.zeros(shape, np.int64), self._array((3, *shape))
        for shift in (0, 16, 32, 48):
            total += (words >> shift & 0xFFFF).sum(0, dtype=np.int64)
        return (total - 6 * 0xFFFF) * 2.0**-16

    def coarse_normals(self, *shape: int) -> Floats:
        """Return numbers of mean 0 and sd 1, float32, for noise on many pixels: each a sum of four bytes."""
        count = math.prod(shape)
        words = self._array((-(-count // 2),))
        quads = words.astype("<u8").view(np.uint8).reshape(4, -1)[:, :count]
        total: NDArray[np.int32] = quads.sum(0, dtype=np.int32)
        # Four bytes have a mean of 4 * 127.5 and a standard deviation of (4 * (256^2 - 1) / 12)^0.5.
        return ((total - 510) * np.float32(1 / 147.8)).astype(np.float32).reshape(shape)

    def _array(self, shape: tuple[int, ...]) -> NDArray[np.uint64]:
        return self._words(math.prod(shape)).reshape(shape)
