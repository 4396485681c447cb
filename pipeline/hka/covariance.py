"""How sure a heatmap is of its joint: the spread of its peak beyond the width that it was taught to draw.

A network that regresses Gaussians of width sigma and is unsure where a joint is (with covariance C) does best by
answering their mean, a Gaussian of covariance sigma^2 + C. So C is the peak's covariance less sigma^2. On 356 persons
of COCO val2017, TinyPose's sd found so, by quartile, is .6 / .9 / 1.2 / 1.8 cells at knees where half of the joints
lie within 1.18 x .7 / .6 / 1.0 / 1.7 cells of the annotation.
"""

import numpy as np
from numpy.typing import NDArray

from cache_tools.geometry import Matrix

RADIUS = 3  # cells around the peak: 1.5 sigma, inside which neighbours of a joint seldom reach
LEVEL = 0.25  # of the peak: below it a heatmap is background rather than Gaussian
SMALLEST = 0.1  # cells: no joint is known better than DARK reads it from a map stored at half resolution


def covariance_image(maps: NDArray[np.float32], sigma: float, cell_to_image: Matrix) -> NDArray[np.float64]:
    """Covariance (B, 17, 2, 2) of each joint's place in square image pixels, of heatmaps (B, 17, h, w).

    sigma: width in cells of the Gaussians that the network was taught. cell_to_image: (B, 2, 3).
    """
    linear = np.asarray(cell_to_image, np.float64)[:, None, :, :2]
    return linear @ covariance(maps, sigma) @ np.swapaxes(linear, -1, -2)


def covariance(maps: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """Covariance (..., 2, 2) of each joint's place in square cells, of heatmaps (..., h, w) drawn with `sigma`.

    Directions in which the peak is narrower than it was taught, or has no fall at all, get SMALLEST and the map's size.
    """
    height, width = maps.shape[-2:]
    values, vectors = np.linalg.eigh(precision(maps.reshape(-1, height, width)))
    widest = float(max(height, width)) ** 2
    spread = np.where(values > 1 / widest, 1 / np.maximum(values, 1 / widest), widest)  # along each axis of the peak
    extra = np.clip(spread - sigma**2, SMALLEST**2, widest)
    return ((vectors * extra[:, None, :]) @ np.swapaxes(vectors, -1, -2)).reshape(*maps.shape[:-2], 2, 2)


def precision(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Inverse covariance (M, 2, 2) of the Gaussian around the highest cell of each map (M, h, w).

    Least squares on log(map), weighted by map^2, which is the weight that equal noise on the map asks for
    (Guo, "A Simple Algorithm for Fitting a Gaussian Function", 2011); exact for a Gaussian wherever its centre lies.
    """
    count, height, width = maps.shape
    top_y, top_x = np.divmod(maps.reshape(count, -1).argmax(1), width)
    offset_y, offset_x = (o.ravel() for o in np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1])
    y, x = top_y[:, None] + offset_y, top_x[:, None] + offset_x  # (M, P)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    values = maps[np.arange(count)[:, None], y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float64)
    peak = np.maximum(maps.reshape(count, -1).max(1), 1e-6)[:, None]
    kept = inside & (values > LEVEL * peak)
    weights = np.where(kept, (values / peak) ** 2, 0)
    logs = np.log(np.where(kept, values / peak, 1))
    terms = np.stack(
        [np.ones_like(offset_x), offset_x, offset_y, offset_x**2, offset_x * offset_y, offset_y**2], axis=1
    ).astype(np.float64)  # (P, 6)
    normal = np.einsum("mp,pa,pb->mab", weights, terms, terms) + 1e-9 * np.eye(
        6
    )  # a peak of one cell still has an answer
    c = np.linalg.solve(normal, np.einsum("mp,pa->ma", weights * logs, terms)[..., None])[..., 0]
    return -np.stack([2 * c[:, 3], c[:, 4], c[:, 4], 2 * c[:, 5]], axis=1).reshape(-1, 2, 2)
