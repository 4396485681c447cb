"""Heatmaps of SimCC vectors, as RTMPose and DWPose return them: two vectors a joint, over the crop's width and height.

Li et al., "SimCC: a Simple Coordinate Classification Perspective for Human Pose Estimation", ECCV 2022; Jiang et al.,
"RTMPose", 2023. A bin is half a pixel (split ratio 2): bin b of a vector is crop pixel b / 2, and a joint is where
both vectors are highest. MMPose's labels are Gaussians 1 high and sqrt(side / 8) bins wide, 4.9 and 5.66 at 256x192;
its networks return raw values near them, no probabilities, and the lower of the two maxima is the joint's score.

A peak of five bins is 0.6 heatmap cells wide: sampled at the cells it would lie between them, and no codec at half
resolution could hold it. Therefore each vector is blurred before it is sampled, to the sigma of the heatmaps (2 cells,
as other teachers have), and scaled back to its own maximum. The heatmap is the outer product of both over the higher
maximum: as high as the score. Where a vector has two maxima, the product has four.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.geometry import cell_to_crop
from pipeline.teachers.values import Values, sigmoid, softmax
from student.pose_network import Maps

#: pixels a heatmap cell, as other networks have
CELL = 4
#: sigma^2 of MMPose's labels, in pixels, per pixel of the side
LABEL_VARIANCE = 1 / 32


class SimccAxis:
    """Vectors over one side of the crop, blurred and sampled at the cells of a heatmap."""

    def __init__(self, *, bins: int, side: int, cell: float, sigma: float, cells: int) -> None:
        """Plan the vectors of `bins` over `side` pixels. cell: pixels a cell; sigma: of a peak, in cells."""
        split = bins / side
        at_bins = np.arange(bins) / split  # pixels
        #: of a probability in one bin, after the blur, where a Gaussian of `sigma` shall be 1 high
        self.gaussian = math.sqrt(2 * math.pi) * sigma * cell * split
        # a peak that is wider than that already is not blurred to less
        blur = math.sqrt(max((sigma * cell) ** 2 - LABEL_VARIANCE * side, (1 / split) ** 2))  # pixels
        self._at_cells = _blur(at_bins, np.arange(cells) * cell, blur, split)  # (bins, cells)
        self._at_pixels = _blur(at_bins, np.arange(side), blur, split)  # (bins, side)

    def sample(self, vectors: NDArray[Any], values: Values) -> Maps:
        """Return vectors (B, K, bins) at the cells (B, K, cells), as high as they are themselves."""
        if values.activation == "softmax":
            shares = softmax(vectors, values.beta, axes=(-1,)) * np.float32(self.gaussian)
            return np.asarray(shares @ self._at_cells, np.float32)
        vectors = sigmoid(vectors) if values.activation == "sigmoid" else np.asarray(vectors, np.float32)
        # below 0 they mean nothing, and two such values would make a positive one
        vectors = np.maximum(vectors, 0)
        height, blurred = vectors.max(-1, keepdims=True), (vectors @ self._at_pixels).max(-1, keepdims=True)
        gain = np.divide(height, blurred, out=np.zeros_like(height), where=blurred > 0)
        return np.asarray(vectors @ self._at_cells * gain, np.float32)


class SimccHeatmaps:
    """Heatmaps (B, K, H / 4, W / 4) of the vectors of one network."""

    def __init__(
        self, *, bins: tuple[int, int], input_size: tuple[int, int], frame: str, sigma: float, values: Values
    ) -> None:
        """Plan heatmaps. bins: of the vectors over height and width; sigma: of the heatmaps' peaks, in cells."""
        height, width = input_size
        self.heatmap_size = (height // CELL, width // CELL)
        self.values = values
        steps = cell_to_crop(frame, input_size, self.heatmap_size)
        self._down = SimccAxis(
            bins=bins[0], side=height, cell=float(steps[1, 1]), sigma=sigma, cells=self.heatmap_size[0]
        )
        self._across = SimccAxis(
            bins=bins[1], side=width, cell=float(steps[0, 0]), sigma=sigma, cells=self.heatmap_size[1]
        )

    def maps(self, down: NDArray[Any], across: NDArray[Any]) -> Maps:
        """Return heatmaps of vectors over the height (B, K, bins) and the width (B, K, bins)."""
        y, x = self._down.sample(down, self.values), self._across.sample(across, self.values)
        higher = np.maximum(y.max(-1), x.max(-1))[..., None, None]
        products = y[..., :, None] * x[..., None, :]
        maps = np.divide(products, higher, out=np.zeros_like(products), where=higher > 0)
        # "gaussian" is refused for vectors
        factor = np.float32(1 if isinstance(self.values.scale, str) else self.values.scale)
        return np.asarray(maps if factor == 1 else maps * factor, np.float32)


def _blur(at_bins: NDArray[np.float64], at: NDArray[Any], sigma: float, split: float) -> Maps:
    """Return the matrix (bins, points) of a Gaussian blur that keeps the sum. All in pixels."""
    distance = at_bins[:, None] - at
    kernel = np.exp(-(distance**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma * split)
    return np.asarray(kernel, np.float32)
