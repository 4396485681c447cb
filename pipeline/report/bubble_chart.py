"""The bubble chart (paper, figure 2): AP over images/s, the area of a bubble is its number of parameters."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pipeline.report.label_placement import LabelBoxes, place_labels
from pipeline.report.rows import Row

STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
# dark and light in grey, too; teachers are hatched squares besides
TEACHER, STUDENT = "#d95f02", "#7fb3d5"
# square points: the largest bubble; the hollow marker of a network without a teacher; a bubble that can still be seen,
# as which networks are drawn that would be smaller or whose parameters are not known
LARGEST_AREA, CONTROL_AREA, SMALLEST_AREA = 2000.0, 20.0, 24.0
# inches
FIGURE_SIZE = (7.6, 5.2)
# left, bottom, width, height of the chart and of the scale of areas, of the figure
CHART, SCALE = (0.075, 0.14, 0.7, 0.84), (0.79, 0.45, 0.2, 0.2)
# points between the labels of the scale
LABEL_DISTANCE = 12.0


@dataclass(frozen=True, kw_only=True)
class Bubble:
    """A row that has both an AP and a speed."""

    row: Row
    #: percent
    ap: float
    images_per_second: float
    #: 0 where it is not known
    params_m: float
    #: percent
    control_ap: float | None


def chart_bubbles(rows: Sequence[Row]) -> list[Bubble]:
    """Return the rows that can be drawn. Raises ValueError when there is none."""
    bubbles = []
    for row in rows:
        ap = row.percent("AP")
        if row.cost is not None and ap is not None:
            bubbles.append(
                Bubble(
                    row=row,
                    ap=ap,
                    images_per_second=row.cost.images_per_second,
                    params_m=row.cost.params_m or 0.0,
                    control_ap=row.percent("AP", control=True),
                )
            )
    if not bubbles:
        raise ValueError(f"none of {', '.join(row.name for row in rows)} has both an AP and a speed: nothing to draw")
    return bubbles


def draw_bubble_chart(rows: Sequence[Row]) -> Figure:
    """Draw one bubble a row; a hollow one below or above it is the same network trained without the teacher."""
    bubbles = chart_bubbles(rows)
    with rc_context(STYLE):
        figure = Figure(figsize=FIGURE_SIZE)
        axes = figure.add_axes(CHART)
        area = LARGEST_AREA / max(max(b.params_m for b in bubbles), 1e-9)
        for number, bubble in enumerate(bubbles):
            _draw_bubble(axes, bubble, area, f"row-{number}")
        _draw_axes(axes, bubbles)
        _draw_legend(axes, bubbles)
        _draw_scale(figure.add_axes(SCALE), bubbles, area)
        _draw_labels(axes, bubbles, area)
    return figure


def _draw_bubble(axes: Axes, bubble: Bubble, area: float, gid: str) -> None:
    """Draw a bubble of `area` square points a million parameters, and its control."""
    teacher = bubble.row.role == "teacher"
    size, x = max(area * bubble.params_m, SMALLEST_AREA), bubble.images_per_second
    dots = axes.scatter(
        x,
        bubble.ap,
        # equal areas: a square's side is the root of its size, and so is a circle's diameter
        size * (np.pi / 4 if teacher else 1),
        marker="s" if teacher else "o",
        facecolors=TEACHER if teacher else STUDENT,
        edgecolors="black",
        linewidths=0.8,
        hatch="////" if teacher else None,
        # small ones on top of large ones
        zorder=3 - bubble.params_m * 1e-5,
    )
    dots.set_gid(gid)
    if bubble.control_ap is not None:
        line = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 0, "shrinkB": CONTROL_AREA**0.5 / 2}
        axes.annotate("", (x, bubble.control_ap), (x, bubble.ap), arrowprops=line, zorder=2.5)
        axes.scatter(
            x, bubble.control_ap, CONTROL_AREA, facecolors="none", edgecolors="black", linewidths=0.9, zorder=4
        )


def _draw_axes(axes: Axes, bubbles: Sequence[Bubble]) -> None:
    speeds = np.array([b.images_per_second for b in bubbles])
    aps = np.array([ap for b in bubbles for ap in (b.ap, b.control_ap) if ap is not None])
    axes.set_xscale("log")
    # room for names to the right
    axes.set_xlim(speeds.min() / 1.8, speeds.max() * (speeds.max() / speeds.min()) ** 0.15 * 1.4)
    room = max(0.12 * np.ptp(aps), 1.0)
    axes.set_ylim(aps.min() - room, aps.max() + 1.4 * room)
    # a narrow range would show one tick or none
    wide = speeds.max() > 8 * speeds.min()
    steps = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    axes.xaxis.set_major_locator(LogLocator(10, steps))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    costs = [b.row.cost for b in bubbles if b.row.cost]
    devices, dtypes = dict.fromkeys(c.device for c in costs), dict.fromkeys(c.dtype for c in costs)
    axes.set_xlabel(textwrap.fill(f"images/s, logarithmic ({'; '.join([*devices, ', '.join(dtypes)])})", 80))
    axes.set_ylabel("COCO keypoint AP, percent")


def _draw_legend(axes: Axes, bubbles: Sequence[Bubble]) -> None:
    """Name the kinds of markers, to the right of the chart."""
    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgecolor": "black", "markeredgewidth": 0.8}
    kinds: list[Patch | Line2D] = [Line2D([], [], label="student", markersize=9, markerfacecolor=STUDENT, **dot)]
    if any(b.row.role == "teacher" for b in bubbles):
        kinds.insert(0, Patch(facecolor=TEACHER, edgecolor="black", hatch="////", label="teacher"))
    if any(b.control_ap is not None for b in bubbles):
        label = "the same network\nwithout a teacher"
        kinds.append(Line2D([], [], label=label, markersize=CONTROL_AREA**0.5, markerfacecolor="none", **dot))
    axes.legend(
        handles=kinds,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        borderpad=0.2,
        handlelength=1.2,
        handleheight=1.2,
    )


def _draw_scale(axes: Axes, bubbles: Sequence[Bubble], area: float) -> None:
    """Show what areas mean by nested circles, each with its number of parameters. The axes' unit is a point."""
    axes.axis("off")
    steps = [step for step in scale_steps([b.params_m for b in bubbles]) if area * step >= SMALLEST_AREA]
    if not steps:
        return
    axes.set(xlim=(0, SCALE[2] * FIGURE_SIZE[0] * 72), ylim=(0, SCALE[3] * FIGURE_SIZE[1] * 72))
    diameters = np.sqrt(area * np.array(steps))
    widest, label_y = diameters.max(), -np.inf
    for step, diameter in sorted(zip(steps, diameters, strict=True)):
        label_y = max(diameter, label_y + LABEL_DISTANCE)
        axes.scatter(
            widest / 2 + 1, diameter / 2 + 1, diameter**2, facecolors="none", edgecolors="black", linewidths=0.8
        )
        axes.plot([widest / 2 + 1, widest + 8], [diameter + 1, label_y], color="0.45", linewidth=0.6)
        axes.text(widest + 11, label_y, f"{step:g} M", va="center")
    smaller = any(area * b.params_m < SMALLEST_AREA for b in bubbles)
    title = f"parameters\n(from {SMALLEST_AREA / area:.2g} M to scale)" if smaller else "parameters"
    axes.text(0, max(widest, label_y) + LABEL_DISTANCE, title, va="bottom")


def scale_steps(params_m: Sequence[float]) -> list[float]:
    """Return up to three round numbers (1, 2 or 5 times a power of ten) that show what the area of a bubble means."""
    largest = max(params_m)
    if largest <= 0:
        return []
    power = 10 ** np.floor(np.log10(largest))
    top = max(step * power for step in (1, 2, 5) if step * power <= largest)
    return [float(f"{top / divisor:.2g}") for divisor in (20, 5, 1)]


def _draw_labels(axes: Axes, bubbles: Sequence[Bubble], area: float) -> None:
    """Write the name of each row beside its bubble."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = figure.dpi / 72
    points = axes.transData.transform([(b.images_per_second, b.ap) for b in bubbles])
    control_radius = CONTROL_AREA**0.5 / 2 * scale + 1
    areas = [max(area * b.params_m, SMALLEST_AREA) for b in bubbles]
    radii = np.array([max(np.sqrt(size) / 2 * scale + 1, control_radius) for size in areas])
    names = [axes.text(0, 0, b.row.name, fontsize=8, parse_math=False) for b in bubbles]
    extents = [name.get_window_extent() for name in names]
    sizes = np.array([(extent.width + 4, extent.height + 2) for extent in extents])
    boxes = place_labels(points, radii, sizes, axes.bbox.extents, _control_boxes(axes, bubbles, control_radius))
    # in data, because a pixel of the PNG is not one of the SVG
    to_data = axes.transData.inverted()
    for name, box, point, radius in zip(names, boxes, points, radii, strict=True):
        name.remove()
        nearest = np.clip(point, box[:2], box[2:])
        leader = {
            "arrowstyle": "-",
            "color": "0.45",
            "linewidth": 0.6,
            "shrinkA": 0,
            "shrinkB": 0,
            "relpos": tuple((nearest - box[:2]) / (box[2:] - box[:2])),
        }
        axes.annotate(
            name.get_text(),
            tuple(to_data.transform(point)),
            tuple(to_data.transform((box[:2] + box[2:]) / 2)),
            fontsize=8,
            ha="center",
            va="center",
            zorder=5,
            arrowprops=leader if np.linalg.norm(nearest - point) > radius + 7 * scale else None,
        )


def _control_boxes(axes: Axes, bubbles: Sequence[Bubble], radius: float) -> LabelBoxes:
    """Return boxes (N, 4) in pixels around the controls and the lines to their bubbles."""
    boxes = []
    for bubble in bubbles:
        if bubble.control_ap is not None:
            ends = axes.transData.transform([(bubble.images_per_second, ap) for ap in (bubble.ap, bubble.control_ap)])
            boxes.append([*(ends.min(axis=0) - radius), *(ends.max(axis=0) + radius)])
    return np.array(boxes).reshape(-1, 4)
