"""The bubble chart as files: SVG, PNG, and a page that answers the mouse."""

import html
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from cache_tools.files import write_bytes
from pipeline.report.bubble_chart import chart_bubbles, draw_bubble_chart
from pipeline.report.caption import caption_sentences
from pipeline.report.figure_file import figure_bytes
from pipeline.report.rows import Row
from pipeline.report.table import mark_sentences, row_cells, table_columns


def write_chart(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write bubble.svg, bubble.png and bubble.html into `folder`; return their paths."""
    figure = draw_bubble_chart(rows)
    svg = figure_bytes(figure, "svg")
    page = chart_page(rows, svg.decode())
    contents = {"svg": svg, "png": figure_bytes(figure, "png", dpi=200), "html": page.encode()}
    for suffix, content in contents.items():
        write_bytes(folder / f"bubble.{suffix}", content)
    return [folder / f"bubble.{suffix}" for suffix in contents]


def chart_page(rows: Sequence[Row], svg: str) -> str:
    """Return a page that fetches nothing: the chart drawn from these rows, its table and its caption.

    A bubble shows its numbers under the mouse and marks its line of the table, and the other way round.
    """
    drawn = [bubble.row for bubble in chart_bubbles(rows)]
    columns = table_columns(rows, details=True)
    lines = []
    for row in rows:
        target = f' data-bubble="row-{drawn.index(row)}"' if row in drawn else ""
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row_cells(row, columns))
        lines.append(f"<tr{target}><th>{html.escape(row.name)}</th>{cells}</tr>")
    sentences = [*caption_sentences(rows, details=True), *mark_sentences(rows)]
    template = Template(files("pipeline.report").joinpath("chart_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        chart=svg[svg.index("<svg") :],
        heads="".join(f"<th>{html.escape(head)}</th>" for head in ["Model", *(column.head for column in columns)]),
        lines="\n".join(lines),
        sentences="\n".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences),
    )
