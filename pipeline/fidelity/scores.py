"""Numbers of replayed and live heatmaps, first of each joint and person, then summed over persons and bins of zoom."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from student.heatmaps.replay import ReplayMode

MODES: tuple[ReplayMode, ...] = ("warp", "peaks")
#: the three ways to a heatmap of a view
ARMS = ("live", *MODES)
#: cells count in the RMSE where the live heatmap is above this, as in the codec's own error
PEAK = 0.05
#: bounds of the bins; above 1 the view shows more than the plain crop
ZOOMS = (0.0, 0.75, 1.25, np.inf)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of N persons; NaN where a joint or a person does not count."""

    #: (N,) of the view
    zoom: NDArray[np.float64]
    #: (N, 17) labelled and in view
    joints: NDArray[np.bool_]
    #: mode -> (N, 17) sum of squared differences from the live heatmap, at its peaks
    squared: dict[str, NDArray[np.float64]]
    #: (N, 17) number of cells in those sums
    cells: NDArray[np.int64]
    #: mode -> (N, 17) between replayed and live heatmap
    cosine: dict[str, NDArray[np.float64]]
    #: arm -> (N,) against the labels
    oks: dict[str, NDArray[np.float64]]

    @classmethod
    def compare(
        cls,
        maps: dict[str, NDArray[np.float32]],
        oks: dict[str, NDArray[np.float64]],
        joints: NDArray[np.bool_],
        zoom: NDArray[np.float64],
    ) -> Self:
        """Compare the heatmaps (N, 17, h, w) of each mode with the live ones."""
        live = maps["live"].reshape(*joints.shape, -1)
        peak = live > PEAK
        squared: dict[str, NDArray[np.float64]] = {}
        cosine: dict[str, NDArray[np.float64]] = {}
        for mode in MODES:
            replayed = maps[mode].reshape(*joints.shape, -1)
            squared[mode] = np.where(joints, ((replayed - live) ** 2 * peak).sum(-1), np.nan)
            lengths = np.linalg.norm(replayed, axis=-1) * np.linalg.norm(live, axis=-1)
            cosine[mode] = np.where(joints, (replayed * live).sum(-1) / np.maximum(lengths, 1e-9), np.nan)
        return cls(zoom=zoom, joints=joints, squared=squared, cells=peak.sum(-1) * joints, cosine=cosine, oks=oks)

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """Return the scores of the persons of all parts."""
        return cls(
            zoom=np.concatenate([part.zoom for part in parts]),
            joints=np.concatenate([part.joints for part in parts]),
            squared=_concatenate_each([part.squared for part in parts]),
            cells=np.concatenate([part.cells for part in parts]),
            cosine=_concatenate_each([part.cosine for part in parts]),
            oks=_concatenate_each([part.oks for part in parts]),
        )


def summarize_scores(scores: Scores) -> dict[str, Any]:
    """Return the numbers of all persons, and under `by_zoom` those of each bin that has persons, ready for JSON."""
    bins = []
    for low, high in pairwise(ZOOMS):
        inside = (scores.zoom >= low) & (scores.zoom < high)
        if inside.any():
            bins.append({"zoom": [low, None if np.isinf(high) else high], **_summarize(scores, inside)})
    return {**_summarize(scores, np.ones(len(scores.zoom), bool)), "by_zoom": bins}


def _summarize(scores: Scores, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the numbers of some rows: RMSE over all cells at live peaks, median cosine of joints, mean OKS."""
    counted = rows & scores.joints.any(1)
    arms: dict[str, Any] = {"live": {"oks": _mean(scores.oks["live"][counted])}}
    cells = scores.cells[counted].sum()
    for mode in MODES:
        oks = scores.oks[mode][counted]
        gain = oks - scores.oks["live"][counted]
        arms[mode] = {
            "oks": _mean(oks),
            "rmse_at_peaks": float(np.sqrt(np.nansum(scores.squared[mode][counted]) / cells)) if cells else None,
            "cosine_median": float(np.nanmedian(scores.cosine[mode][counted])) if counted.any() else None,
            "oks_over_live": _mean(gain),
            "oks_over_live_standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else None,
        }
    return {"persons": int(counted.sum()), "joints": int(scores.joints[counted].sum()), "arms": arms}


def _concatenate_each(parts: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
