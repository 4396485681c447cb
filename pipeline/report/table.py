"""Table 1, ours beside the paper's, as Markdown, CSV and LaTeX, with the protocol in its caption."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from cache_tools.files import write_text
from pipeline.report.caption import caption_sentences
from pipeline.report.latex import latex_table
from pipeline.report.markdown import markdown_table, with_sentences
from pipeline.report.rows import Row
from pipeline.report.spreadsheet import spreadsheet_text

# Precision is averaged over 101 recall levels, of which at most (AR + 1/101) x 101 are reached. The paper's
# Efficientnet_B2 breaks it. In percent.
SLACK = 100 / 101
IMPOSSIBLE, NOT_RUN = "impossible", "not run"
MARKS = {IMPOSSIBLE: "†", NOT_RUN: "‡"}
NOTES = {
    IMPOSSIBLE: "impossible by COCO's definition: AP is at most AR + 1/101, which means that one of the two is wrong",
    NOT_RUN: "not run",
}
ABSENT = "–"


@dataclass(frozen=True)
class TableColumn:
    """A column of numbers."""

    #: in the CSV
    key: str
    #: in the other tables
    head: str
    #: digits after the point; None: three significant digits
    digits: int | None = None


ACCURACY = (TableColumn("AP", "AP", 1), TableColumn("AR", "AR", 1))
WITHOUT_TEACHER = (TableColumn("control_AP", "AP without teacher", 1), TableColumn("gain", "gain", 1))
SPREAD = (TableColumn("gain_low", "lowest gain", 1), TableColumn("gain_high", "highest gain", 1))
GAINS = ("gain", "gain_low", "gain_high")
COSTS = (
    TableColumn("params_m", "Params (M)"),
    TableColumn("gmacs", "GMACs"),
    TableColumn("gflops", "GFLOPs"),
    TableColumn("images_per_second", "images/s"),
)
# in the CSV and on the page, where there is room
DETAILS = (
    TableColumn("latency_ms", "ms/image"),
    TableColumn("onnx_images_per_second", "ONNX images/s"),
    TableColumn("onnx_latency_ms", "ONNX ms/image"),
)
PAPER = (
    TableColumn("paper_AP", "paper AP", 1),
    TableColumn("paper_AR", "paper AR", 1),
    TableColumn("paper_params_m", "paper Params (M)", 1),
    TableColumn("paper_gflops", "paper GFLOPs", 1),
    TableColumn("paper_images_per_second", "paper images/s", 0),
)


def table_columns(rows: Sequence[Row], *, details: bool = False) -> tuple[TableColumn, ...]:
    """Return the columns that these rows need: those of controls, seeds and the paper only where a row has them."""
    without_teacher = WITHOUT_TEACHER if any(row.control or "control" in row.absent for row in rows) else ()
    spread = _spread_columns(rows)
    paper = PAPER if any(row.paper for row in rows) else ()
    return (*ACCURACY, *without_teacher, *spread, *COSTS, *(DETAILS if details else ()), *paper)


def _spread_columns(rows: Sequence[Row]) -> tuple[TableColumn, ...]:
    return SPREAD if any(len(row.gains()) > 1 for row in rows) else ()


def row_numbers(row: Row) -> dict[str, float | None]:
    """Return every number of a row by column key; AP, AR and gain in percent, None where there is none."""
    ap, without = row.percent("AP"), row.percent("AP", control=True)
    cost, paper, gains = row.cost, row.paper, row.gains()
    export = cost.onnxruntime if cost else None
    return {
        "AP": ap,
        "AR": row.percent("AR"),
        "control_AP": without,
        "gain": fmean(gains) if gains else None,
        "gain_low": min(gains) if len(gains) > 1 else None,
        "gain_high": max(gains) if len(gains) > 1 else None,
        "params_m": cost.params_m if cost else None,
        "gmacs": cost.gmacs if cost else None,
        "gflops": cost.gflops if cost else None,
        "images_per_second": cost.images_per_second if cost else None,
        "latency_ms": cost.latency_ms if cost else None,
        "onnx_images_per_second": export.images_per_second if export else None,
        "onnx_latency_ms": export.latency_ms if export else None,
        "paper_AP": paper.ap if paper else None,
        "paper_AR": paper.ar if paper else None,
        "paper_params_m": paper.params_m if paper else None,
        "paper_gflops": paper.gflops if paper else None,
        "paper_images_per_second": paper.images_per_second if paper else None,
    }


def row_marks(row: Row) -> dict[str, str]:
    """Return column key -> IMPOSSIBLE or NOT_RUN, for the cells that a reader must not take as they are."""
    found = row_numbers(row)
    marks = {"AP": NOT_RUN} if row.metrics is None else {}
    if "control" in row.absent:
        marks["control_AP"] = NOT_RUN
    if row.cost is None:
        marks |= {column.key: NOT_RUN for column in COSTS}
    recalls = {"AP": found["AR"], "control_AP": row.percent("AR", control=True), "paper_AP": found["paper_AR"]}
    for key, recall in recalls.items():
        precision = found[key]
        if precision is not None and recall is not None and precision > recall + SLACK:
            marks[key] = IMPOSSIBLE
    return marks


def row_cells(row: Row, columns: Sequence[TableColumn]) -> list[str]:
    """Return the numbers of a row as printed, with their marks."""
    found, marks = row_numbers(row), row_marks(row)
    cells = []
    for column in columns:
        mark = MARKS[marks[column.key]] if column.key in marks else ""
        cells.append(printed_number(found[column.key], column) + mark)
    return cells


def mark_sentences(rows: Sequence[Row]) -> list[str]:
    """Return what the marks mean that these rows have."""
    used = {mark for row in rows for mark in row_marks(row).values()}
    return [f"{MARKS[mark]} {meaning}." for mark, meaning in NOTES.items() if mark in used]


def printed_number(value: float | None, column: TableColumn) -> str:
    """Return a number with the digits of its column."""
    if value is None:
        return ABSENT
    if column.key in GAINS:
        return f"{value:+.1f}"
    if column.digits is not None:
        return f"{value:.{column.digits}f}"
    if value >= 100:
        return f"{value:.0f}" if column.key == "images_per_second" else f"{value:.1f}"
    return f"{value:#.3g}"


def table_markdown(rows: Sequence[Row]) -> str:
    """Return the table, its caption and its notes as Markdown."""
    columns = table_columns(rows)
    table = markdown_table(_heads(columns), [_line(row, columns) for row in rows])
    return with_sentences(table, [*caption_sentences(rows), *mark_sentences(rows)])


def table_latex(rows: Sequence[Row]) -> str:
    r"""Return the table as a LaTeX `table*` for booktabs, with a rule between teachers and students; `\input` it."""
    columns = table_columns(rows)
    groups = [[_line(row, columns) for row in group] for _, group in groupby(rows, key=lambda row: row.role)]
    return latex_table(_heads(columns), groups, " ".join([*caption_sentences(rows), *mark_sentences(rows)]))


def table_csv(rows: Sequence[Row]) -> str:
    """Return every number unrounded, one row a model, for other programs."""
    keys = [column.key for column in (*ACCURACY, *WITHOUT_TEACHER, *_spread_columns(rows), *COSTS, *DETAILS, *PAPER)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["model", "role", "paper_model", *keys, "marks"])
    for row in rows:
        found = row_numbers(row)
        marks = "; ".join(f"{key} {mark}" for key, mark in row_marks(row).items())
        values = ["" if found[key] is None else f"{found[key]:.6g}" for key in keys]
        names = [row.name, row.role, row.paper.name if row.paper else ""]
        writer.writerow([*map(spreadsheet_text, names), *values, marks])
    return file.getvalue()


def write_table(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write table.md, table.csv and table.tex into `folder`; return their paths."""
    contents = {"md": table_markdown(rows), "csv": table_csv(rows), "tex": table_latex(rows)}
    for suffix, content in contents.items():
        write_text(folder / f"table.{suffix}", content)
    return [folder / f"table.{suffix}" for suffix in contents]


def _heads(columns: Sequence[TableColumn]) -> list[str]:
    return ["Model", *(column.head for column in columns)]


def _line(row: Row, columns: Sequence[TableColumn]) -> list[str]:
    is_named = row.role != "teacher" or "teacher" in row.name.lower()
    return [row.name if is_named else f"{row.name} (teacher)", *row_cells(row, columns)]
