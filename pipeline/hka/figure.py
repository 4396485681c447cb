"""Bland-Altman plots: the error of each leg against its angle, with bias and limits of agreement."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.hka.agreement import ACCEPTED, Comparison, agreement
from pipeline.hka.angles import NOTICE, difference
from pipeline.hka.evaluate import EXACT, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REACH = 20.0  # degrees of error that are shown; what lies beyond stands on the edge as a triangle
WIDE = 30.0  # degrees of varus that are shown; in photos most legs beyond are bent
MARKERS = ("o", "s", "^", "D", "v")  # told apart without colour
COLOURS = ("#0b3c5d", "#c1440e", "#4f772d", "#6a4c93", "#8c6d1f")
GREY = "#9a9a9a"
TITLES = {
    "coco": "photos, against the annotated keypoints",
    "keypoints": "rendered, against exact keypoints",
    "axis": "rendered, against the mechanical axis",
}


def draw(results: Sequence[Result], path: str | Path) -> list[Path]:
    """One row a network, one column a truth, as `path` with the suffixes .png and .svg; returns both."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    exact = next((r for r in results if r.name == EXACT), None)
    networks = [r for r in results if r.name != EXACT] or list(results)
    columns = [c for c in TITLES if any(_series(r, c) for r in networks)]
    size = (5 * len(columns), 4.0 * len(networks) + 0.4)
    figure, panels = plt.subplots(
        len(networks), len(columns), figsize=size, squeeze=False, sharey=True, layout="constrained"
    )
    for row, result in enumerate(networks):
        for column, truth in enumerate(columns):
            axes = panels[row, column]
            if truth == "axis" and exact is not None and exact is not result:
                _exact(axes, exact)
            _panel(axes, _series(result, truth), _judged(result, truth))
            axes.set_title(f"{result.name}\n{TITLES[truth]}", fontsize=10)
            axes.set_xlabel("mean of found and true varus (degrees)")
        panels[row, 0].set_ylabel("found − true (degrees)")
    figure.supxlabel(NOTICE, fontsize=8)
    written = [Path(path).with_suffix(suffix) for suffix in (".png", ".svg")]
    for target in written:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.stem}.partial{target.suffix}")
        figure.savefig(unfinished, dpi=150)
        unfinished.replace(target)
    plt.close(figure)
    return written


def _series(result: Result, column: str) -> dict[str, Comparison]:
    """Label -> legs of one panel; no leg stands in it twice."""
    if column == "coco":
        if not result.coco:
            return {}
        both = {"straight, seen from the front": result.coco["standing"], "other legs": result.coco["other"]}
        return {label: legs for label, legs in both.items() if len(legs.measured.found)}
    return {f"{height} px high": truths[column] for height, truths in result.rendered.items() if column in truths}


def _judged(result: Result, column: str) -> Comparison | None:
    """The legs whose bias and limits are drawn: in photos those of which the angle means something."""
    if column == "coco":
        return result.coco.get("standing")
    parts = [truths[column] for truths in result.rendered.values() if column in truths]
    return Comparison.joined(parts) if parts else None


def _panel(axes: "Axes", series: dict[str, Comparison], judged: Comparison | None) -> None:
    axes.axhspan(-ACCEPTED, ACCEPTED, color="#e8e8e8", zorder=0, label=f"±{ACCEPTED:g} degrees")
    for number, (label, legs) in enumerate(series.items()):
        kept = legs.measured
        error = difference(kept.found, kept.truth)
        mean = kept.truth + error / 2
        shown = np.abs(mean) <= WIDE
        hidden = f" ({int((~shown).sum())} beyond ±{WIDE:g})" if not shown.all() else ""
        inside = shown & (np.abs(error) <= REACH)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axes.plot(mean[inside], error[inside], marker, label=label + hidden, mfc="none", mec=colour, mew=0.9, ms=4)
        for sign, arrow in ((1, "^"), (-1, "v")):
            beyond = mean[shown & (sign * error > REACH)]
            axes.plot(beyond, np.full(len(beyond), sign * REACH), arrow, color=colour, ms=4)
    if judged is not None:
        _limits(axes, judged)
    axes.set_ylim(-REACH - 1, REACH + 1)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False)


def _limits(axes: "Axes", legs: Comparison) -> None:
    found = agreement(legs)
    if found.bias is None or found.lower is None or found.upper is None:
        return
    lines = {"bias": (found.bias, "-"), "−1.96 sd": (found.lower, "--"), "+1.96 sd": (found.upper, "--")}
    for name, (value, style) in lines.items():
        if abs(value) > REACH:
            continue
        axes.axhline(value, color="black", linestyle=style, linewidth=1)
        label = f"{name}\n{value:+.1f}".replace("-", "−")
        axes.text(1.01, value, label, transform=axes.get_yaxis_transform(), va="center", fontsize=7)


def _exact(axes: "Axes", exact: Result) -> None:
    """The error of exact keypoints in grey: nothing that looks at the same keypoints can do better by itself."""
    legs = next(iter(exact.rendered.values()))["axis"].measured
    error = difference(legs.found, legs.truth)
    axes.plot(legs.truth + error / 2, error, "x", color=GREY, ms=4, mew=0.8, label=EXACT)
