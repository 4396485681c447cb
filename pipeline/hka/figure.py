"""Bland-Altman plots: the error of each leg against its angle, with bias and limits of agreement."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.hka.agreement import ACCEPTED, Comparison, measure_agreement
from pipeline.hka.angles import NOTICE, angle_difference
from pipeline.hka.evaluate import EXACT, EXACT_CENTRES, AngleEvaluation
from pipeline.report.figure_file import write_figure

# degrees of error that are shown; what is beyond is a triangle on the edge
LARGEST_ERROR = 20.0
# degrees of varus that are shown; in photos most legs beyond are bent
LARGEST_VARUS = 30.0
# degrees between the labels of two lines, so that they do not overlap
LIMIT_DISTANCE = 2.0
# told apart without colour
MARKERS = ("o", "s", "^", "D", "v")
COLOURS = ("#0b3c5d", "#c1440e", "#4f772d", "#6a4c93", "#8c6d1f")
GREY = "#9a9a9a"
COLUMN_TITLES = {
    "photos": "photos, against the annotated joints",
    "exact": "rendered, against exact joints",
    "axis": "rendered, against the mechanical axis",
}
#: column -> the truths that it shows: each network is compared with exact joints of its own kind
TRUTHS = {"exact": ("keypoints", "centres"), "axis": ("axis",)}


def agreement_figure(evaluations: Sequence[AngleEvaluation]) -> Figure:
    """Draw one row a network, one column a truth."""
    exact = [one for one in evaluations if one.name in (EXACT, EXACT_CENTRES)]
    networks = [one for one in evaluations if one not in exact] or exact
    columns = [column for column in COLUMN_TITLES if any(_series(one, column) for one in networks)]
    figure = Figure(figsize=(5 * len(columns), 4.0 * len(networks) + 0.4), layout="constrained")
    panels = figure.subplots(len(networks), len(columns), squeeze=False, sharey=True)
    for row, evaluation in enumerate(networks):
        for column, axes in zip(columns, panels[row], strict=True):
            if column == "axis" and evaluation not in exact:
                for one in exact:
                    if one.angle.is_mechanical == evaluation.angle.is_mechanical:
                        _plot_exact(axes, one)
            _plot_legs(axes, _series(evaluation, column), _with_limits(evaluation, column))
            axes.set_title(f"{evaluation.name}: {evaluation.angle.name}\n{COLUMN_TITLES[column]}", fontsize=9)
            axes.set_xlabel("mean of found and true varus (degrees)")
        panels[row, 0].set_ylabel("found − true (degrees)")
    figure.supxlabel(NOTICE, fontsize=8)
    return figure


def write_agreement_figure(evaluations: Sequence[AngleEvaluation], path: str | Path) -> list[Path]:
    """Write the figure as `path` with the suffixes .png and .svg; return both paths."""
    figure = agreement_figure(evaluations)
    written = [Path(path).with_suffix(suffix) for suffix in (".png", ".svg")]
    for target in written:
        write_figure(target, figure)
    return written


def _series(evaluation: AngleEvaluation, column: str) -> dict[str, Comparison]:
    """Return label -> legs of one panel; no leg is in it twice."""
    if column != "photos":
        return {
            f"{height} px high": legs
            for height, truths in evaluation.rendered.items()
            for truth, legs in truths.items()
            if truth in TRUTHS[column]
        }
    labels = {"standing": "straight, seen from the front", "other": "other legs"}
    return {labels[choice]: legs for choice, legs in evaluation.photos.items() if len(legs.measured.found)}


def _with_limits(evaluation: AngleEvaluation, column: str) -> Comparison | None:
    """Return the legs whose bias and limits are drawn: in photos only those whose angle means something."""
    if column == "photos":
        return evaluation.photos.get("standing")
    parts = list(_series(evaluation, column).values())
    return Comparison.joined(parts) if parts else None


def _plot_legs(axes: Axes, series: dict[str, Comparison], with_limits: Comparison | None) -> None:
    axes.axhspan(-ACCEPTED, ACCEPTED, color="#e8e8e8", zorder=0, label=f"±{ACCEPTED:g} degrees")
    for number, (label, legs) in enumerate(series.items()):
        kept = legs.measured
        error = angle_difference(kept.found, kept.truth)
        mean = kept.truth + error / 2
        shown = np.abs(mean) <= LARGEST_VARUS
        hidden = f" ({int((~shown).sum())} beyond ±{LARGEST_VARUS:g})" if not shown.all() else ""
        inside = shown & (np.abs(error) <= LARGEST_ERROR)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axes.plot(mean[inside], error[inside], marker, label=label + hidden, mfc="none", mec=colour, mew=0.9, ms=4)
        for sign, arrow in ((1, "^"), (-1, "v")):
            beyond = mean[shown & (sign * error > LARGEST_ERROR)]
            axes.plot(beyond, np.full(len(beyond), sign * LARGEST_ERROR), arrow, color=colour, ms=4)
    if with_limits is not None:
        _plot_limits(axes, with_limits)
    axes.set_ylim(-LARGEST_ERROR - 1, LARGEST_ERROR + 1)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4, frameon=False)


def _plot_limits(axes: Axes, legs: Comparison) -> None:
    """Draw bias and limits of agreement as lines, with their values in the right margin."""
    found = measure_agreement(legs)
    if found.bias is None or found.lower is None or found.upper is None:
        return
    lines = [
        ("−1.96 sd", found.lower, min(found.lower, found.bias - LIMIT_DISTANCE), "--"),
        ("bias", found.bias, found.bias, "-"),
        ("+1.96 sd", found.upper, max(found.upper, found.bias + LIMIT_DISTANCE), "--"),
    ]
    for name, value, label_y, style in lines:
        if abs(value) > LARGEST_ERROR:
            continue
        axes.axhline(value, color="black", linestyle=style, linewidth=1)
        label = f"{name} {value:+.1f}".replace("-", "−")
        axes.text(1.01, label_y, label, transform=axes.get_yaxis_transform(), va="center", fontsize=7)


def _plot_exact(axes: Axes, exact: AngleEvaluation) -> None:
    """Draw the error of exact keypoints in grey: no network that finds these keypoints can have a smaller one."""
    legs = next(iter(exact.rendered.values()))["axis"].measured
    error = angle_difference(legs.found, legs.truth)
    axes.plot(legs.truth + error / 2, error, "x", color=GREY, ms=4, mew=0.8, label=exact.name)
