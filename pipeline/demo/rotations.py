"""Rotation matrices."""

import math

import numpy as np
from numpy.typing import NDArray

Rotation = NDArray[np.float64]  # (3, 3)
_PLANES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}


def rotation(axis: str, degrees: float) -> Rotation:
    """Rotation about a coordinate axis `x`, `y` or `z`, right-handed."""
    angle = math.radians(degrees)
    i, j = _PLANES[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def rotation_between(start: NDArray[np.floating], end: NDArray[np.floating]) -> Rotation:
    """The smallest rotation of unit vector `start` to unit vector `end`, which must not be opposite (Rodrigues)."""
    x, y, z = np.cross(start, end)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + start @ end)
