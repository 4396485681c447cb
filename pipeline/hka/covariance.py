"""How uncertain a joint's position is: the covariance of its heatmap peak beyond the width it was trained to have.

A network that regresses Gaussians of width sigma and is unsure where a joint is (with covariance C) has the least loss
when it answers their mean, a Gaussian of covariance sigma^2 + C. C is therefore the peak's covariance less sigma^2. On
356 persons of COCO val2017, the standard deviation found in this way in TinyPose's knees is, by quartile, .6 / .9 / 1.2
/ 1.8 cells; half of the joints in each quartile are within 1.18 x .7 / .6 / 1.0 / 1.7 cells of the annotation.
"""

import numpy as np
from numpy.typing import NDArray

from cache_tools.geometry import Matrix

# cells around the peak: 1.5 sigma, which neighbours of a joint seldom reach
RADIUS = 3
# of the peak: below it a heatmap is background rather than Gaussian
LEVEL = 0.25
# cells: DARK reads no joint more precisely than this from a map stored at half resolution
SMALLEST_SD = 0.1


def covariance_image(maps: NDArray[np.float32], sigma: float, cell_to_image: Matrix) -> NDArray[np.float64]:
    """Return the covariance (B, K, 2, 2) of each joint's position in square image pixels.

    maps (B, K, h, w); sigma: width in cells of the Gaussians that the network was trained on; cell_to_image (B, 2, 3).
    """
    linear = np.asarray(cell_to_image, np.float64)[:, None, :, :2]
    return linear @ covariance_cells(maps, sigma) @ np.swapaxes(linear, -1, -2)


def covariance_cells(maps: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """Return the covariance (..., 2, 2) of each joint's position in square cells, of heatmaps (..., h, w).

    Directions in which the peak is narrower than `sigma` get SMALLEST_SD; those in which it does not fall get the
    size of the map.
    """
    height, width = maps.shape[-2:]
    values, vectors = np.linalg.eigh(peak_precision(maps.reshape(-1, height, width)))
    widest = float(max(height, width)) ** 2
    # variance along each axis of the peak
    variance = np.where(values > 1 / widest, 1 / np.maximum(values, 1 / widest), widest)
    extra = np.clip(variance - sigma**2, SMALLEST_SD**2, widest)
    found = (vectors * extra[:, None, :]) @ np.swapaxes(vectors, -1, -2)  # (M, 2, 2)
    return np.asarray(found.reshape(*maps.shape[:-2], 2, 2))


def peak_precision(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the inverse covariance (M, 2, 2) of the Gaussian around the highest cell of each map (M, h, w).

    Least squares on log(map), weighted by map^2, which is the right weight for equal noise on the map (Guo, "A Simple
    Algorithm for Fitting a Gaussian Function", 2011); exact for a Gaussian wherever its centre is.
    """
    count, height, width = maps.shape
    top_y, top_x = np.divmod(maps.reshape(count, -1).argmax(1), width)
    grid_y, grid_x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    offset_y, offset_x = grid_y.ravel(), grid_x.ravel()  # (P,)
    y, x = top_y[:, None] + offset_y, top_x[:, None] + offset_x  # (M, P)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    values = maps[np.arange(count)[:, None], y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float64)
    peak = np.maximum(maps.reshape(count, -1).max(1), 1e-6)[:, None]
    kept = inside & (values > LEVEL * peak)
    weights = np.where(kept, (values / peak) ** 2, 0)
    logs = np.log(np.where(kept, values / peak, 1))
    monomials = [np.ones_like(offset_x), offset_x, offset_y, offset_x**2, offset_x * offset_y, offset_y**2]
    terms = np.stack(monomials, axis=1).astype(np.float64)  # (P, 6)
    # the small diagonal keeps the system solvable for a peak of one cell
    normal = np.einsum("mp,pa,pb->mab", weights, terms, terms) + 1e-9 * np.eye(6)
    c = np.linalg.solve(normal, np.einsum("mp,pa->ma", weights * logs, terms)[..., None])[..., 0]
    return -np.stack([2 * c[:, 3], c[:, 4], c[:, 4], 2 * c[:, 5]], axis=1).reshape(-1, 2, 2)
