"""Where labels of a chart go: beside their points, over nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # (N, 4) left, bottom, right, top in pixels
Points = NDArray[np.float64]  # (..., 2) x, y in pixels
ANGLES = np.deg2rad(np.arange(0, 360, 15))
DISTANCES = np.array([2, 8, 16, 28, 44, 64, 90])  # pixels between a point's edge and its label
STARTS, ROUNDS = 12, 8
OVERLAP, OUTSIDE, CROSSED = 8.0, 100.0, 60.0  # a square pixel, a pixel, a thing that a leader runs through


def place(
    points: Points, radii: NDArray[np.float64], sizes: Points, inside: Sequence[float], obstacles: Boxes | None = None
) -> Boxes:
    """Boxes (N, 4) of labels that overlap neither each other, nor a point, nor an obstacle, where there is room.

    points (N, 2) centres and radii (N,) of what is labelled; sizes (N, 2) width and height of the labels; inside:
    left, bottom, right, top of the chart; all in pixels. Labels move in turn, each to its cheapest place given all
    others, until nobody moves; the best of some fixed random orders is taken, so the same chart has the same labels.
    """
    taken = np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)
    if obstacles is not None:
        taken = np.concatenate([taken, obstacles])
    options = [_candidates(p, r, s) for p, r, s in zip(points, radii, sizes, strict=True)]  # each (C, 4)
    leaders = [_leaders(o, p, r) for o, p, r in zip(options, points, radii, strict=True)]  # each (C, steps, 2)
    alone = [
        OVERLAP / 2 * _overlap(o, taken).sum(1)
        + OUTSIDE * _outside(o, inside)
        + CROSSED * _hits(line, np.delete(taken, row, axis=0))
        + _reach(o, points[row], radii[row])
        for row, (o, line) in enumerate(zip(options, leaders, strict=True))
    ]

    def costs(row: int, chosen: list[int]) -> NDArray[np.float64]:
        others = np.array([options[other][pick] for other, pick in enumerate(chosen) if other != row]).reshape(-1, 4)
        shared = OVERLAP * _overlap(options[row], others).sum(1)
        return np.asarray(alone[row] + shared + CROSSED * _hits(leaders[row], others))

    rng = np.random.default_rng(0)
    best, lowest = [int(a.argmin()) for a in alone], np.inf
    for _ in range(STARTS):
        chosen = [int(a.argmin()) for a in alone]
        for _ in range(ROUNDS):
            before = list(chosen)
            for row in rng.permutation(len(chosen)):
                chosen[row] = int(costs(row, chosen).argmin())
            if chosen == before:
                break
        total = sum(costs(row, chosen)[pick] for row, pick in enumerate(chosen))
        if total < lowest:
            best, lowest = chosen, total
    return np.array([option[pick] for option, pick in zip(options, best, strict=True)])


def overlapping(boxes: Boxes) -> int:
    """How many pairs of boxes overlap."""
    return int((np.triu(_overlap(boxes, boxes), 1) > 0).sum())


def _candidates(point: Points, radius: float, size: Points) -> Boxes:
    """Labels whose nearest side or corner is at each distance in each direction."""
    direction = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    edges = point + direction * (radius + DISTANCES[:, None, None])  # (distance, angle, 2)
    anchor = (1 - np.clip(direction * 1.6, -1, 1)) / 2  # 0: the label begins there, 1: it ends there
    lower = (edges - anchor * size).reshape(-1, 2)
    return np.concatenate([lower, lower + size], axis=1)


def _leaders(candidates: Boxes, point: Points, radius: float) -> Points:
    """Points (C, 12, 2) along the line from each label to the edge of its point."""
    reach = np.clip(point, candidates[:, :2], candidates[:, 2:]) - point
    start = np.minimum((radius + 1) / np.maximum(np.linalg.norm(reach, axis=1), 1e-9), 1)  # (C,)
    along = start[:, None] + (1 - start[:, None]) * np.linspace(0, 1, 12)  # (C, 12)
    return point + reach[:, None] * along[..., None]


def _reach(candidates: Boxes, point: Points, radius: float) -> NDArray[np.float64]:
    """Nearer is better, right is better than left, and both are better than above or below."""
    nearest = np.clip(point, candidates[:, :2], candidates[:, 2:]) - point
    return 2 * (np.linalg.norm(nearest, axis=1) - radius) + 0.3 * np.abs(nearest[:, 1]) + 2.0 * (nearest[:, 0] < 0)


def _outside(candidates: Boxes, inside: Sequence[float]) -> NDArray[np.float64]:
    lower, upper = np.array(inside[:2]), np.array(inside[2:])
    return np.asarray(((lower - candidates[:, :2]).clip(0) + (candidates[:, 2:] - upper).clip(0)).sum(1))


def _hits(lines: Points, boxes: Boxes) -> NDArray[np.intp]:
    """How many boxes each line (C, steps, 2) runs through."""
    within = (lines[:, :, None] > boxes[:, :2]) & (lines[:, :, None] < boxes[:, 2:])  # (C, steps, boxes, 2)
    return np.asarray(within.all(axis=-1)).any(axis=1).sum(axis=1)


def _overlap(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Area (A, B) that boxes share."""
    shared = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    return np.asarray(shared.clip(0).prod(-1))
