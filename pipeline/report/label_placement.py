"""Where labels of a picture go: beside their points, over nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: (N, 4) left, bottom, right, top in pixels
LabelBoxes = NDArray[np.float64]
#: (..., 2) x, y in pixels
PixelPoints = NDArray[np.float64]

ANGLES = np.deg2rad(np.arange(0, 360, 15))
# pixels between a point's edge and its label
DISTANCES = np.array([2, 8, 16, 28, 44, 64, 90])
STARTS, ROUNDS = 12, 8
# cost of a square pixel of overlap, of a pixel outside the picture, of a thing that a leader runs through
OVERLAP, OUTSIDE, CROSSED = 8.0, 100.0, 60.0
# points along a leader that are tested for what it runs through
LEADER_STEPS = 12


def place_labels(
    points: PixelPoints,
    radii: NDArray[np.float64],
    sizes: PixelPoints,
    inside: Sequence[float],
    obstacles: LabelBoxes | None = None,
    starts: int = STARTS,
) -> LabelBoxes:
    """Return boxes (N, 4) of labels that overlap neither each other, nor a point, nor an obstacle, where there is room.

    points (N, 2), radii (N,): centres and sizes of what is labelled. sizes (N, 2): width and height of the labels.
    inside: left, bottom, right, top of the picture. All are in pixels.

    Labels move in turn, each to its cheapest place given all others, until none moves; the best result of `starts`
    fixed random orders is taken. The same picture therefore has the same labels.
    """
    occupied = np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)
    if obstacles is not None:
        occupied = np.concatenate([occupied, obstacles])
    options = [_candidates(p, r, s) for p, r, s in zip(points, radii, sizes, strict=True)]  # each (C, 4)
    leaders = [_leaders(o, p, r) for o, p, r in zip(options, points, radii, strict=True)]  # each (C, steps, 2)
    fixed_costs = []
    for label, (option, leader) in enumerate(zip(options, leaders, strict=True)):
        fixed_costs.append(
            OVERLAP / 2 * _overlap(option, occupied).sum(1)
            + OUTSIDE * _outside(option, inside)
            + CROSSED * _crossed(leader, np.delete(occupied, label, axis=0))
            + _distance_cost(option, points[label], radii[label])
        )

    def costs(label: int, chosen: list[int]) -> NDArray[np.float64]:
        """Return the cost (C,) of each place of a label, given the places of the others."""
        others = np.array([options[n][pick] for n, pick in enumerate(chosen) if n != label]).reshape(-1, 4)
        shared = OVERLAP * _overlap(options[label], others).sum(1)
        return np.asarray(fixed_costs[label] + shared + CROSSED * _crossed(leaders[label], others))

    rng = np.random.default_rng(0)
    best, lowest = [int(cost.argmin()) for cost in fixed_costs], np.inf
    for _ in range(starts):
        chosen = [int(cost.argmin()) for cost in fixed_costs]
        for _ in range(ROUNDS):
            before = list(chosen)
            for label in rng.permutation(len(chosen)):
                chosen[label] = int(costs(label, chosen).argmin())
            if chosen == before:
                break
        total = sum(costs(label, chosen)[pick] for label, pick in enumerate(chosen))
        if total < lowest:
            best, lowest = chosen, total
    return np.array([option[pick] for option, pick in zip(options, best, strict=True)]).reshape(-1, 4)


def _candidates(point: PixelPoints, radius: float, size: PixelPoints) -> LabelBoxes:
    """Return labels (C, 4) whose nearest side or corner is at each distance in each direction."""
    direction = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    edges = point + direction * (radius + DISTANCES[:, None, None])  # (distance, angle, 2)
    # 0: the label begins there, 1: it ends there
    anchor = (1 - np.clip(direction * 1.6, -1, 1)) / 2
    lower = (edges - anchor * size).reshape(-1, 2)
    return np.concatenate([lower, lower + size], axis=1)


def _leaders(candidates: LabelBoxes, point: PixelPoints, radius: float) -> PixelPoints:
    """Return points (C, steps, 2) along the line from each label to the edge of its point."""
    line = np.clip(point, candidates[:, :2], candidates[:, 2:]) - point
    start = np.minimum((radius + 1) / np.maximum(np.linalg.norm(line, axis=1), 1e-9), 1)  # (C,)
    along = start[:, None] + (1 - start[:, None]) * np.linspace(0, 1, LEADER_STEPS)  # (C, steps)
    return np.asarray(point + line[:, None] * along[..., None])


def _distance_cost(candidates: LabelBoxes, point: PixelPoints, radius: float) -> NDArray[np.float64]:
    """Return costs (C,): nearer is better, right is better than left, and both are better than above or below."""
    nearest = np.clip(point, candidates[:, :2], candidates[:, 2:]) - point
    away = 2 * (np.linalg.norm(nearest, axis=1) - radius)
    return np.asarray(away + 0.3 * np.abs(nearest[:, 1]) + 2.0 * (nearest[:, 0] < 0))


def _outside(candidates: LabelBoxes, inside: Sequence[float]) -> NDArray[np.float64]:
    """Return how many pixels (C,) each label is outside the picture, over all sides."""
    lower, upper = np.array(inside[:2]), np.array(inside[2:])
    return np.asarray(((lower - candidates[:, :2]).clip(0) + (candidates[:, 2:] - upper).clip(0)).sum(1))


def _crossed(lines: PixelPoints, boxes: LabelBoxes) -> NDArray[np.intp]:
    """Return how many boxes (C,) each line (C, steps, 2) runs through."""
    within = (lines[:, :, None] > boxes[:, :2]) & (lines[:, :, None] < boxes[:, 2:])  # (C, steps, boxes, 2)
    crossed = np.any(np.all(within, axis=-1), axis=1)  # (C, boxes)
    return np.asarray(np.count_nonzero(crossed, axis=1), np.intp)


def _overlap(a: LabelBoxes, b: LabelBoxes) -> NDArray[np.float64]:
    """Return the area (A, B) that boxes share."""
    shared = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    return np.asarray(shared.clip(0).prod(-1))
