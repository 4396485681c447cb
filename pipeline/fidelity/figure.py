"""Draw a fidelity report: example persons' heatmaps by all three ways, and the numbers by zoom."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.files import replacing
from pipeline.fidelity.measure import Example
from pipeline.fidelity.scores import ARMS
from pipeline.fidelity.table import report_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {"live": "live teacher", "warp": "cached, warp", "peaks": "cached, peaks"}
#: distinguishable in grey, too
BAR_STYLES: dict[str, dict[str, Any]] = {
    "live": {"color": "#4d4d4d"},
    "warp": {"color": "#d9e7f2", "edgecolor": "#1f4e79", "hatch": "///"},
    "peaks": {"color": "#1f6fb4"},
}


def draw_fidelity(report: dict[str, Any], examples: Sequence[Example], path: str | Path) -> None:
    """Draw the figure and write it as `path`, whose suffix (.png, .svg, .pdf) chooses the format."""
    from matplotlib.figure import Figure

    rows = max(len(examples), 1)
    figure = Figure(figsize=(13, 2.35 * rows + 0.6), layout="constrained", dpi=130)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.35, 1))[0]
    panels = left.subplots(rows, 1 + len(ARMS), squeeze=False)
    for line, example in zip(panels, examples, strict=False):
        _person(line, example)
    for axes, title in zip(panels[0], ("view", *TITLES.values()), strict=True):
        axes.set_title(f"{title}\n{axes.get_title()}".rstrip(), fontsize=9)
    top, bottom = right.subplots(2, 1)
    _bars(top, report, "rmse_at_peaks", ("warp", "peaks"))
    top.set_ylabel("RMSE from live, at its peaks")
    top.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    top.margins(y=0.18)
    _bars(bottom, report, "oks", ARMS)
    bottom.set_ylabel("mean OKS against the labels")
    bottom.set_ylim(0, 1.12)
    bottom.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")
    bottom.set_xlabel("zoom of the view: above 1 it shows more than the plain crop")
    right.suptitle(
        f"{report['teacher']['name']}, codec {report['codec']}, {report['persons']} persons in random views",
        fontsize=10,
    )
    with replacing(path) as temporary:
        figure.savefig(temporary)


def _person(line: Sequence["Axes"], example: Example) -> None:
    """Draw one row of the figure: the view, then each way's heatmaps over a pale copy of it."""
    for axes in line:
        axes.set_axis_off()
    line[0].imshow(example.crop)
    line[0].set_title(f"zoom {example.zoom:.2f}", fontsize=8)
    for axes, arm in zip(line[1:], ARMS, strict=True):
        axes.imshow(overlay(example.crop, example.maps[arm]))
        axes.set_title("" if np.isnan(example.oks[arm]) else f"OKS {example.oks[arm]:.2f}", fontsize=8)


def overlay(crop: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the highest of the maps (17, h, w) in red over a pale grey copy of the crop (H, W, 3)."""
    height, width = crop.shape[:2]
    heat = cv2.resize(maps.max(0).clip(0, 1), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    pale = 0.45 * crop.mean(-1, keepdims=True) + 0.55 * 255
    picture: NDArray[np.uint8] = (pale * (1 - heat) + np.array([190.0, 0, 20]) * heat).astype(np.uint8)
    return picture


def _bars(axes: "Axes", report: dict[str, Any], number: str, arms: Sequence[str]) -> None:
    """Draw one group of bars a bin of zoom."""
    groups = report_parts(report)
    width = 0.8 / len(arms)
    for i, arm in enumerate(arms):
        heights = [part["arms"][arm][number] or 0 for _, part in groups]
        left = np.arange(len(groups)) + (i - (len(arms) - 1) / 2) * width
        bars = axes.bar(left, heights, 0.92 * width, label=TITLES[arm], **BAR_STYLES[arm])
        axes.bar_label(bars, [f"{h:.3f}".lstrip("0") for h in heights], fontsize=7, padding=1)
    axes.set_xticks(range(len(groups)), [f"{label}\n{part['persons']} persons" for label, part in groups], fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
