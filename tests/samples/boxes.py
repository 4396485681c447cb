"""What tests ask of boxes in a picture."""

import numpy as np
from numpy.typing import NDArray


def overlapping_pairs(boxes: NDArray[np.float64]) -> int:
    """Return the number of pairs of boxes (N, 4), left, bottom, right, top, that overlap."""
    shared = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    return int(np.triu((shared > 0).all(-1), 1).sum())
