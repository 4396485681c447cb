"""Where labels of a chart go: beside their points, over nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # (N, 4) left, bottom, right, top in pixels
ANGLES = np.deg2rad(np.arange(0, 360, 15))
DISTANCES = (2, 8, 16, 28, 44, 64, 90)  # pixels between a point's edge and its label
ROUNDS = 8


def place(
    points: NDArray[np.float64],
    radii: NDArray[np.float64],
    sizes: NDArray[np.float64],
    inside: Sequence[float],
    obstacles: Boxes | None = None,
) -> Boxes:
    """Boxes (N, 4) of labels that overlap neither each other, nor a point, nor an obstacle, where there is room.

    points (N, 2) centres and radii (N,) of what is labelled; sizes (N, 2) width and height of the labels; inside:
    left, bottom, right, top of the chart; all in pixels. Each label tries places around its point and takes the
    cheapest, given all others, until nobody moves. No randomness: the same chart has the same labels.
    """
    taken = _around(points, radii)
    if obstacles is not None and len(obstacles):
        taken = np.concatenate([taken, obstacles])
    candidates = [_candidates(p, r, s) for p, r, s in zip(points, radii, sizes, strict=True)]
    alone = [_cost(c, taken, inside) + _reach(c, p, r) for c, p, r in zip(candidates, points, radii, strict=True)]
    chosen = np.array([c[a.argmin()] for c, a in zip(candidates, alone, strict=True)])
    for _ in range(ROUNDS):
        before = chosen.copy()
        for row, options in enumerate(candidates):
            others = np.delete(chosen, row, axis=0)
            chosen[row] = options[(alone[row] + 8 * _overlap(options, others).sum(1)).argmin()]
        if np.array_equal(before, chosen):
            break
    return chosen


def overlapping(boxes: Boxes) -> int:
    """How many pairs of boxes overlap."""
    return int((np.triu(_overlap(boxes, boxes), 1) > 0).sum())


def _around(points: NDArray[np.float64], radii: NDArray[np.float64]) -> Boxes:
    return np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)


def _candidates(point: NDArray[np.float64], radius: float, size: NDArray[np.float64]) -> Boxes:
    """Labels whose nearest side or corner is at each distance in each direction."""
    direction = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    edges = point + direction * (radius + np.array(DISTANCES)[:, None, None])  # (distance, angle, 2)
    anchor = (1 - np.clip(direction * 1.6, -1, 1)) / 2  # 0: the label begins there, 1: it ends there
    lower = (edges - anchor * size).reshape(-1, 2)
    return np.concatenate([lower, lower + size], axis=1)


def _reach(candidates: Boxes, point: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Nearer is better, right is better than left, and both are better than above or below."""
    nearest = np.clip(point, candidates[:, :2], candidates[:, 2:]) - point
    return 2 * (np.linalg.norm(nearest, axis=1) - radius) + 0.3 * np.abs(nearest[:, 1]) + 2.0 * (nearest[:, 0] < 0)


def _cost(candidates: Boxes, taken: Boxes, inside: Sequence[float]) -> NDArray[np.float64]:
    left, bottom, right, top = inside
    out = np.maximum(left - candidates[:, 0], 0) + np.maximum(candidates[:, 2] - right, 0)
    out = out + np.maximum(bottom - candidates[:, 1], 0) + np.maximum(candidates[:, 3] - top, 0)
    return 4 * _overlap(candidates, taken).sum(1) + 100 * out


def _overlap(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Area (A, B) that boxes share."""
    shared = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    return np.asarray(shared.clip(0).prod(-1))
