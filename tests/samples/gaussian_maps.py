"""Heatmaps of Gaussians, computed cell by cell in numpy: the product's are compared with them."""

import numpy as np
from numpy.typing import NDArray

SIZE = (64, 48)


def gaussian_maps(
    xy_cells: NDArray[np.float64], size: tuple[int, int] = SIZE, sigma: float = 2.0
) -> NDArray[np.float32]:
    """Return maps (B, K, h, w) with a peak of height 1 at each point (B, K, 2): equation 3 of the paper, in float64."""
    y, x = np.mgrid[: size[0], : size[1]]
    squared = (x - xy_cells[..., 0, None, None]) ** 2 + (y - xy_cells[..., 1, None, None]) ** 2
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


def noisy_maps(persons: int, seed: int = 0) -> NDArray[np.float32]:
    """Return maps (B, 17, 64, 48) with two peaks of different height and much noise, like an undertrained network's."""
    rng = np.random.default_rng(seed)
    first, second = (gaussian_maps(rng.uniform(-1, [48, 64], (persons, 17, 2))) for _ in range(2))
    return (first + rng.uniform(0, 0.9) * second + rng.normal(0, 0.03, first.shape)).astype(np.float32)
