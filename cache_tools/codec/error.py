"""The error of a codec, measured on the heatmaps of a build row by row, so that shards and merged stores add up."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.profiles import Maps

# A student learns from cells above this value; the error is measured there.
PEAK_VALUE = 0.05
# Only joints whose maximum is above this value have a position to compare.
VISIBLE_VALUE = 0.2
# Heatmaps of regressions go a little below 0 and above 1, which means nothing and is clamped: PP-TinyPose from -.05 to
# 1.19 on 1,072 COCO persons and their mirrors, a small student from -.19 to 1.07, 3xRSN to 1.28 (MMPose issue 884).
# Beyond these limits values are of another range (0 to 255, logits), and what is clamped there is lost.
LEAST, GREATEST = -0.5, 1.5
# Number of rows of a build that are measured.
MEASURED_ROWS = 256


def rows_to_measure(rows: int) -> NDArray[np.int64]:
    """Return the rows of a store whose error is measured: MEASURED_ROWS of them at even distances, or all."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MEASURED_ROWS)).round().astype(np.int64))


def error_of_row(maps: Maps, decoded: Maps) -> dict[str, Any]:
    """Return the error of one person's decoded maps (J, h, w) against the exact ones, for `summarize_errors`.

    Noise below 0 and overshoots above 1 are no loss: maps between LEAST and GREATEST are clamped before they are
    compared, and maps beyond are not.
    """
    exact = np.asarray(maps, np.float32)
    if exact.min(initial=0) >= LEAST and exact.max(initial=0) <= GREATEST:
        exact = np.clip(exact, 0, 1)
    difference, peak = (decoded - exact).astype(np.float64), np.abs(exact) > PEAK_VALUE
    norms = np.linalg.norm(exact) * np.linalg.norm(decoded)
    visible = exact.max(axis=(-2, -1)) > VISIBLE_VALUE
    shift = np.linalg.norm(peak_xy(exact[visible]) - peak_xy(decoded[visible]), axis=-1)
    return {
        "square_sum": round(float((difference[peak] ** 2).sum()), 9),
        "peak_cells": int(peak.sum()),
        "max_error": round(float(np.abs(difference).max()), 6),
        "cosine": round(float((exact * decoded).sum() / norms), 6) if norms else 1.0,
        "shift": [round(float(s), 4) for s in shift],
    }


def summarize_errors(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Join the errors of rows: rmse_at_peaks, max_error, cosine_median, shift_median, shift_p99, rows.

    Shifts are in heatmap cells; `rows` is the number of rows measured.
    """
    cells = sum(row["peak_cells"] for row in rows)
    shift = [s for row in rows for s in row["shift"]]
    return {
        "rmse_at_peaks": float(np.sqrt(sum(row["square_sum"] for row in rows) / cells)) if cells else 0.0,
        "max_error": max((row["max_error"] for row in rows), default=0.0),
        "cosine_median": float(np.median([row["cosine"] for row in rows])) if rows else 1.0,
        "shift_median": float(np.median(shift)) if shift else 0.0,
        "shift_p99": float(np.percentile(shift, 99)) if shift else 0.0,
        "rows": len(rows),
    }


def peak_xy(maps: Maps) -> NDArray[np.float64]:
    """Return sub-pixel peaks (J, 2) of maps (J, h, w) in cells: DARK with UDP's blur (kernel 11, sigma 2).

    One Newton step from the highest cell. Zhang et al., "Distribution-Aware Coordinate Representation", CVPR 2020,
    equation 9.
    """
    xy, windows = np.zeros((len(maps), 2)), np.ones((len(maps), 3, 3))
    for joint, heatmap in enumerate(maps):
        y, x = divmod(int(heatmap.argmax()), heatmap.shape[1])
        blurred = cv2.copyMakeBorder(cv2.GaussianBlur(heatmap, (11, 11), 2.0), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        xy[joint], windows[joint] = (x, y), blurred[y : y + 3, x : x + 3]
    w = np.log(np.clip(windows, 1e-3, 50))
    dx, dy = (w[:, 1, 2] - w[:, 1, 0]) / 2, (w[:, 2, 1] - w[:, 0, 1]) / 2
    dxx, dyy = w[:, 1, 2] - 2 * w[:, 1, 1] + w[:, 1, 0], w[:, 2, 1] - 2 * w[:, 1, 1] + w[:, 0, 1]
    dxy = (w[:, 2, 2] - w[:, 2, 0] - w[:, 0, 2] + w[:, 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    # elsewhere the map is flat, and the highest cell is the result
    peaked = np.abs(determinant) > 1e-9
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=1) / np.where(peaked, determinant, 1)[:, None]
    refined: NDArray[np.float64] = xy + np.clip(step, -2, 2) * peaked[:, None]
    return refined
