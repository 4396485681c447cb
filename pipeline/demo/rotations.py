"""Rotation matrices as tuples of rows: NumPy's products come from BLAS, which rounds as the processor likes."""

import math

from pipeline.demo.arithmetic import sine_cosine

Vector = tuple[float, float, float]
Rotation = tuple[Vector, Vector, Vector]  # rows

NO_ROTATION: Rotation = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def rotation(axis: str, degrees: float) -> Rotation:
    """Return the right-handed rotation about a coordinate axis `x`, `y` or `z`."""
    sine, cosine = sine_cosine(degrees)
    if axis == "x":
        return (1.0, 0.0, 0.0), (0.0, cosine, -sine), (0.0, sine, cosine)
    if axis == "y":
        return (cosine, 0.0, sine), (0.0, 1.0, 0.0), (-sine, 0.0, cosine)
    return (cosine, -sine, 0.0), (sine, cosine, 0.0), (0.0, 0.0, 1.0)


def product(first: Rotation, *others: Rotation) -> Rotation:
    """Return the matrix product first @ others[0] @ ..., which turns by the last one first."""
    for (a, b, c), (d, e, f), (g, h, i) in others:
        top, middle, bottom = (
            (x * a + y * d + z * g, x * b + y * e + z * h, x * c + y * f + z * i) for x, y, z in first
        )
        first = top, middle, bottom
    return first


def transposed(matrix: Rotation) -> Rotation:
    """Return the inverse of a rotation."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return (a, d, g), (b, e, h), (c, f, i)


def rotate(matrix: Rotation, vector: Vector) -> Vector:
    """Rotate a vector."""
    x, y, z = vector
    first, second, third = (a * x + b * y + c * z for a, b, c in matrix)
    return first, second, third


def rotation_to_vertical(direction: Vector) -> Rotation:
    """Return the smallest rotation of a vector, which must not point upwards, to straight down (Rodrigues' formula)."""
    x, y, z = direction
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    # The axis times the sine is (x, y, z) x (0, 0, -1) = (-y, x, 0), the cosine is -z.
    scale = 1 / (1 - z)
    return (1 - x * x * scale, -x * y * scale, x), (-x * y * scale, 1 - y * y * scale, y), (-x, -y, -z)
