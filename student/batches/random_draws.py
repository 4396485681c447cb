"""Random numbers that depend on (seed, epoch, row, draw) and on nothing else.

A row's numbers do not depend on the batch that it falls into, on the number of workers or on what was drawn before, and
a resumed run repeats them exactly.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def uniform_draws(seed: int, epoch: ArrayLike, rows: ArrayLike, draws: int) -> NDArray[np.float64]:
    """Return numbers (B, draws) in (0, 1): a hash of seed, epoch, row and draw by SplitMix64's finaliser.

    epoch: one for all rows, or (B,); rows: (B,).
    """
    key = _mix(_mix(np.array([seed % 2**64], np.uint64)) + np.asarray(epoch).astype(np.uint64))
    row_key = _mix(key + np.asarray(rows, np.uint64))[:, None]
    bits = _mix(row_key + np.arange(draws).astype(np.uint64))
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53


def normal_draws(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return standard normal numbers, each from two uniform ones (Box and Muller)."""
    draws: NDArray[np.float64] = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
    return draws


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits as in Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
