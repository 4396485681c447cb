"""Functions that give the same bits on every processor, which libraries' sines, powers and matrix products do not.

IEEE 754 fixes + - * / and the square root to the last bit, and NumPy's element-wise functions for them keep to it at
every vector width. Sines, exponentials and powers (of NumPy and of the C library), sums along an axis, einsum and BLAS
are computed in another way on each generation of processors. What the demo draws is made of the former only, by the
functions of this file.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
STEPS = 4096  # of the table of sines, a turn
HALVINGS = 12  # of exponents; more are nearer to the true power and exponential


def sine_cosine(degrees: float) -> tuple[float, float]:
    """Return sine and cosine, to 1e-15: Taylor's series within 45 degrees of the nearest quarter turn."""
    quarter = math.floor(degrees / 90 + 0.5)
    angle = (degrees - 90 * quarter) * (math.pi / 180)
    square = angle * angle
    sine, cosine = 1.0, 1.0
    for n in range(16, 0, -2):
        sine = 1 - square / (n * (n + 1)) * sine
        cosine = 1 - square / (n * (n - 1)) * cosine
    sine *= angle
    return ((sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine))[quarter % 4]


@functools.cache
def _sines() -> Floats:
    return np.array([sine_cosine(step * 360 / STEPS)[0] for step in range(STEPS)], np.float32)


def sine(radians: Floats) -> Floats:
    """Return the sine of angles in radians, float32, to the nearest of 4,096 steps a turn."""
    steps = np.rint(radians * (STEPS / (2 * math.pi))).astype(np.int32)
    found: Floats = _sines()[steps & (STEPS - 1)]
    return found


def arctangent(y: Floats, x: Floats) -> Floats:
    """Return the angles in degrees of vectors (x, y) against the x axis, -180 to 180, to 1e-9."""
    tangent = y / (np.sqrt(x * x + y * y) + x)  # of half the angle
    for _ in range(4):
        tangent = tangent / (1 + np.sqrt(1 + tangent * tangent))
    square, series = tangent * tangent, np.zeros_like(tangent)
    for n in range(15, 0, -2):
        series = 1 / n - square * series
    return series * tangent * (2 * 16 * 180 / math.pi)


def power(base: Floats, exponent: float) -> Floats:
    """Return base ** exponent for bases of 0 to 1, to 1e-3: (1 + e (b^(1/n) - 1))^n of roots and squares."""
    value = base
    for _ in range(HALVINGS):
        value = np.sqrt(value)
    return _raised(np.maximum(1 + exponent * (value - 1), 0))


def decay(x: Floats) -> Floats:
    """Return exp(-x) for x of 0 and above, to 1e-3: (1 - x/n)^n."""
    return _raised(np.maximum(1 - x * (1 / (1 << HALVINGS)), 0))


def _raised(value: Floats) -> Floats:
    for _ in range(HALVINGS):
        value = value * value
    return value


def dot(first: Floats, second: Floats) -> Floats:
    """Return the products (...) of vectors (..., 3), summed in order."""
    return first[..., 0] * second[..., 0] + first[..., 1] * second[..., 1] + first[..., 2] * second[..., 2]


def length(vectors: Floats) -> Floats:
    """Return the length (...) of vectors (..., 3)."""
    return np.sqrt(dot(vectors, vectors))


def mean(points: Floats) -> Floats:
    """Return the mean (3,) of points (P, 3), rounded to 2^-20 each: sums of integers do not depend on their order."""
    total: NDArray[np.int64] = np.rint(points * 2.0**20).astype(np.int64).sum(0)
    return total / (2.0**20 * len(points))
