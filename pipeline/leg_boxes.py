"""Boxes around legs only: a crop of them shows twice the pixels of a crop of the whole person."""

import numpy as np
from numpy.typing import NDArray

# margins in shares of the height between the highest and the lowest joint. They are those of the second look of
# `kdcache hka measure --fit`: of a network that knows only leg joints, it looks into the same box.
ABOVE, AROUND = 0.1, 0.06


def leg_boxes(joints: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Return boxes (N, 4) x, y, width, height around leg joints (N, J, 2), clipped to an image of height and width."""
    low, high = joints.min(axis=1), joints.max(axis=1)
    tall = (high - low)[:, 1:]
    low = np.floor(low - tall * [AROUND, ABOVE]).clip(0, [width, height])
    high = np.ceil(high + tall * AROUND).clip(0, [width, height])
    return np.concatenate([low, high - low], axis=1)
