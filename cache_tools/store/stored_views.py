"""The augmented views that a store may hold of each row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.profiles import Maps


@dataclass(frozen=True)
class StoredViews:
    """The K augmented views of B rows; docs/store-format.md says what flipped views hold."""

    maps: Maps  #: (B, K, 17, h, w)
    crop_to_image: NDArray[np.float64]  #: (B, K, 2, 3)
    flipped: NDArray[np.bool_]  #: (B, K)
