"""Narrower or wider peaks of heatmaps: a teacher's peaks need not be as wide as the student's targets."""

from torch import Tensor

# of a map's height; keeps the division of an empty map finite
SMALLEST = 1e-6


def sharpen(maps: Tensor, exponent: float) -> Tensor:
    """Return maps (B, K, h, w), each raised to `exponent` relative to its height, which remains.

    A Gaussian of standard deviation sigma becomes one of sigma / sqrt(exponent). Values below 0 become 0.
    """
    maps = maps.clamp(min=0)
    height = maps.amax(dim=(2, 3), keepdim=True).clamp(min=SMALLEST)
    return (maps / height).pow_(exponent).mul_(height)
