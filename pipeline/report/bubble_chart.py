"""The bubble chart (paper, figure 2): AP over images/s, area = parameters. SVG, PNG, a page that answers the mouse."""

import html
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pipeline.report.caption import caption
from pipeline.report.label_placement import place
from pipeline.report.rows import Row
from pipeline.report.table import cells, columns, notes

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "kdcache",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
TEACHER, STUDENT = "#d95f02", "#7fb3d5"  # dark and light in grey, too; teachers are hatched squares besides
LARGEST = 2000.0  # area of the largest bubble in square points
CONTROL = 20.0  # area of the hollow marker of a network without a teacher
SMALLEST = 24.0  # of a bubble that can still be seen; networks that would be smaller, or do not tell, are drawn so


@dataclass(frozen=True)
class Bubble:
    """A row that has both an AP and a speed."""

    row: Row
    ap: float  # percent
    images_per_second: float
    params_m: float
    control_ap: float | None


def bubbles(rows: Sequence[Row]) -> list[Bubble]:
    """The rows that can be drawn; ValueError when there is none."""
    found = [
        Bubble(row, ap, row.cost.images_per_second, row.cost.params_m or 0.0, row.percent("AP", control=True))
        for row in rows
        if row.cost is not None and (ap := row.percent("AP")) is not None
    ]
    if not found:
        raise ValueError(f"none of {', '.join(row.name for row in rows)} has both an AP and a speed: nothing to draw")
    return found


def bubble_chart(rows: Sequence[Row]) -> Figure:
    """AP over throughput, one bubble a row; a hollow one below or above is the same network without the teacher."""
    drawn = bubbles(rows)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.6, 5.2))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.075, 0.14, 0.7, 0.84))  # the legends stand to the right
        area = LARGEST / max(max(b.params_m for b in drawn), 1e-9)
        for place_in_rows, bubble in enumerate(drawn):
            _draw(axes, bubble, area, f"row-{place_in_rows}")
        _frame(axes, drawn)
        _legend(axes, drawn, area)
        _label(axes, drawn, area)
    return figure


def _draw(axes: Axes, bubble: Bubble, area: float, gid: str) -> None:
    teacher = bubble.row.role == "teacher"
    size, x = max(area * bubble.params_m, SMALLEST), bubble.images_per_second
    dots = axes.scatter(
        x,
        bubble.ap,
        size * (np.pi / 4 if teacher else 1),  # equal areas: a square's side is its size's root, a circle's diameter
        marker="s" if teacher else "o",
        facecolors=TEACHER if teacher else STUDENT,
        edgecolors="black",
        linewidths=0.8,
        hatch="////" if teacher else None,
        zorder=3 - bubble.params_m * 1e-5,  # small ones on top of large ones
    )
    dots.set_gid(gid)
    if bubble.control_ap is not None:
        line = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 0, "shrinkB": CONTROL**0.5 / 2}
        axes.annotate("", (x, bubble.control_ap), (x, bubble.ap), arrowprops=line, zorder=3.5)
        axes.scatter(x, bubble.control_ap, CONTROL, facecolors="none", edgecolors="black", linewidths=0.9, zorder=4)


def _frame(axes: Axes, drawn: Sequence[Bubble]) -> None:
    speeds = np.array([b.images_per_second for b in drawn])
    aps = np.array([ap for b in drawn for ap in (b.ap, b.control_ap) if ap is not None])
    axes.set_xscale("log")
    axes.set_xlim(speeds.min() / 1.8, speeds.max() * (speeds.max() / speeds.min()) ** 0.15 * 1.4)  # names stand there
    room = max(0.12 * np.ptp(aps), 1.0)
    axes.set_ylim(aps.min() - room, aps.max() + 1.4 * room)
    wide = speeds.max() > 8 * speeds.min()  # too narrow a range would show one tick or none
    steps = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    axes.xaxis.set_major_locator(LogLocator(10, steps))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    costs = [b.row.cost for b in drawn if b.row.cost]
    where = "; ".join([*dict.fromkeys(c.device for c in costs), ", ".join(dict.fromkeys(c.dtype for c in costs))])
    axes.set_xlabel(textwrap.fill(f"images/s, logarithmic ({where})", 80))
    axes.set_ylabel("COCO keypoint AP, percent")


def _legend(axes: Axes, drawn: Sequence[Bubble], area: float) -> None:
    def dot(label: str, size: float, colour: str) -> Line2D:
        look: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgecolor": "black"}
        return Line2D([], [], label=label, markersize=size, markerfacecolor=colour, markeredgewidth=0.8, **look)

    kinds: list[Patch | Line2D] = [dot("student", 9, STUDENT)]
    if any(b.row.role == "teacher" for b in drawn):
        kinds.insert(0, Patch(facecolor=TEACHER, edgecolor="black", hatch="////", label="teacher"))
    if any(b.control_ap is not None for b in drawn):
        kinds.append(dot("the same network\nwithout a teacher", CONTROL**0.5, "none"))
    outside: dict[str, Any] = {"loc": "upper left", "frameon": False, "borderpad": 0.2}
    first = axes.legend(handles=kinds, bbox_to_anchor=(1.01, 1), handlelength=1.2, handleheight=1.2, **outside)
    axes.add_artist(first)
    steps = scale_steps([b.params_m for b in drawn])
    if not steps:
        return
    smaller = any(area * b.params_m < SMALLEST for b in drawn)
    sizes = [
        dot(f"{params_m:g} M", float(np.sqrt(area * params_m)), "0.85")
        for params_m in steps
        if area * params_m >= SMALLEST
    ]
    axes.legend(
        handles=sizes,
        title=f"parameters\n(from {SMALLEST / area:.2g} M to scale)" if smaller else "parameters",
        bbox_to_anchor=(1.01, 0.7),
        labelspacing=float(np.sqrt(LARGEST)) / 20,
        handletextpad=float(np.sqrt(LARGEST)) / 24,
        alignment="left",
        **outside,
    )


def scale_steps(params_m: Sequence[float]) -> list[float]:
    """Up to three round numbers (1, 2 or 5 times a power of ten) that show what a bubble's area means."""
    largest = max(params_m)
    if largest <= 0:
        return []
    power = 10 ** np.floor(np.log10(largest))
    top = max(step * power for step in (1, 2, 5) if step * power <= largest)
    return [float(f"{top / divisor:.2g}") for divisor in (20, 5, 1)]


def _label(axes: Axes, drawn: Sequence[Bubble], area: float) -> None:
    figure = axes.figure
    scale = figure.dpi / 72
    points = axes.transData.transform([(b.images_per_second, b.ap) for b in drawn])
    half = CONTROL**0.5 / 2 * scale + 1
    sizes_drawn = [max(area * b.params_m, SMALLEST) for b in drawn]
    radii = np.array([max(np.sqrt(size) / 2 * scale + 1, half) for size in sizes_drawn])
    shapes = [axes.text(0, 0, b.row.name, fontsize=8) for b in drawn]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    extents = [shape.get_window_extent(renderer) for shape in shapes]
    sizes = np.array([(e.width + 4, e.height + 2) for e in extents])
    lines = [
        (x - half, min(y, end) - half, x + half, max(y, end) + half)
        for b, (x, y) in zip(drawn, points, strict=True)
        if b.control_ap is not None
        for end in [axes.transData.transform((b.images_per_second, b.control_ap))[1]]
    ]
    boxes = place(points, radii, sizes, axes.bbox.extents, np.array(lines).reshape(-1, 4))
    to_data = axes.transData.inverted()  # pixels are others in the SVG
    for shape, box, point, radius in zip(shapes, boxes, points, radii, strict=True):
        shape.remove()
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
            shape.get_text(),
            tuple(to_data.transform(point)),
            tuple(to_data.transform((box[:2] + box[2:]) / 2)),
            fontsize=8,
            ha="center",
            va="center",
            zorder=5,
            arrowprops=leader if np.linalg.norm(nearest - point) > radius + 7 * scale else None,
        )


def svg_text(figure: Figure) -> str:
    """The figure as SVG: the same figure gives the same bytes."""
    file = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def interactive_page(rows: Sequence[Row], svg: str) -> str:
    """One page, nothing fetched: the chart, its table, its caption; a bubble tells its numbers and marks its line."""
    drawn = [bubble.row for bubble in bubbles(rows)]
    shown = columns(rows, details=True)
    heads = "".join(f"<th>{html.escape(c.head)}</th>" for c in shown)
    lines = []
    for row in rows:
        filled = "".join(f"<td>{cell}</td>" for cell in cells(row, shown))
        target = f' data-bubble="row-{drawn.index(row)}"' if row in drawn else ""
        lines.append(f"<tr{target}><th>{html.escape(row.name)}</th>{filled}</tr>")
    below = "".join(f"<p>{html.escape(line)}</p>" for line in [*caption(rows, details=True), *notes(rows)])
    return PAGE.format(svg=svg[svg.index("<svg") :], heads=heads, lines="\n".join(lines), notes=below)


def write_chart(rows: Sequence[Row], folder: Path) -> list[Path]:
    """bubble.svg, bubble.png and bubble.html in `folder`; paths as written."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = bubble_chart(rows)
    svg = svg_text(figure)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
    contents = {"svg": svg.encode(), "png": png.getvalue(), "html": interactive_page(rows, svg).encode()}
    for suffix, content in contents.items():
        unfinished = folder / f".bubble.{suffix}.partial"
        unfinished.write_bytes(content)
        unfinished.replace(folder / f"bubble.{suffix}")
    return [folder / f"bubble.{suffix}" for suffix in contents]


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>AP over throughput</title><style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5em auto; max-width: 75em; padding: 0 1em; color: #111 }}
svg {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd }}
th:first-child {{ text-align: left }}
tr.on, tbody tr:hover {{ background: #ffe9a8 }}
[id^="row-"] {{ cursor: pointer }}
g.on use {{ stroke-width: 2.5 !important }}
#tip {{ position: fixed; display: none; background: #111; color: #fff; padding: .4em .7em; border-radius: 4px;
  pointer-events: none; white-space: pre }}
p {{ color: #444; max-width: 60em }}
</style></head><body>
{svg}
<div id="tip"></div>
<div style="overflow-x: auto"><table><thead><tr><th>Model</th>{heads}</tr></thead><tbody>
{lines}
</tbody></table></div>
{notes}
<script>
const tip = document.getElementById("tip"), chart = document.querySelector("svg");
const heads = [...document.querySelectorAll("thead th")].map(th => th.textContent);
const rows = [...document.querySelectorAll("tr[data-bubble]")].map(line => {{
  const words = [...line.children].map((cell, i) => (i ? heads[i] + ": " : "") + cell.textContent).join("\\n");
  const bubble = document.getElementById(line.dataset.bubble);
  bubble.setAttribute("tabindex", "0");
  bubble.setAttribute("role", "img");
  bubble.setAttribute("aria-label", words);
  return {{ line, bubble, words }};
}});
const mark = chosen => rows.forEach(row => [row.line, row.bubble].forEach(
  element => element.classList.toggle("on", row === chosen)));
const distance = (row, event) => {{  // pixels to the edge of a bubble: small ones must be found, too
  const box = row.bubble.getBoundingClientRect();
  const centre = [box.left + box.width / 2, box.top + box.height / 2];
  return Math.hypot(event.clientX - centre[0], event.clientY - centre[1]) - box.width / 2;
}};
chart.addEventListener("mousemove", event => {{
  const [nearest] = [...rows].sort((a, b) => distance(a, event) - distance(b, event));
  const hit = nearest && distance(nearest, event) < 8 ? nearest : null;
  mark(hit);
  tip.style.display = hit ? "block" : "none";
  if (!hit) return;
  tip.textContent = hit.words;
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
}});
chart.addEventListener("mouseleave", () => {{ mark(null); tip.style.display = "none" }});
for (const row of rows) {{
  row.line.addEventListener("mouseenter", () => mark(row));
  row.line.addEventListener("mouseleave", () => mark(null));
  row.bubble.addEventListener("focus", () => mark(row));
  row.bubble.addEventListener("blur", () => mark(null));
}}
</script></body></html>
"""
