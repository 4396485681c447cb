"""Table 1, ours beside the paper's, as Markdown, CSV and LaTeX, with the protocol in its caption."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.caption import caption
from pipeline.report.rows import Row

# Precision is averaged over 101 recall levels, of which at most (AR + 1/101) x 101 are reached. The paper's
# Efficientnet_B2 breaks it.
SLACK = 100 / 101
IMPOSSIBLE, NOT_RUN = "impossible", "not run"
MARKS = {IMPOSSIBLE: "†", NOT_RUN: "‡"}
LATEX_MARKS = {IMPOSSIBLE: r"$^\dagger$", NOT_RUN: r"$^\ddagger$"}
NOTES = {
    IMPOSSIBLE: "impossible by COCO's definition: AP is at most AR + 1/101, so one of the two is wrong",
    NOT_RUN: "not run",
}


@dataclass(frozen=True)
class Column:
    """key in the CSV; head to read; digits after the point, None: three that count."""

    key: str
    head: str
    digits: int | None = None


OWN = (Column("AP", "AP", 1), Column("AR", "AR", 1))
CONTROL = (Column("control_AP", "AP without teacher", 1), Column("gain", "gain", 1))
COSTS = (
    Column("params_m", "Params (M)"),
    Column("gmacs", "GMACs"),
    Column("gflops", "GFLOPs"),
    Column("images_per_second", "images/s"),
)
DETAILS = (  # in the CSV and on the page, where there is room
    Column("latency_ms", "ms/image"),
    Column("onnx_images_per_second", "ONNX images/s"),
    Column("onnx_latency_ms", "ONNX ms/image"),
)
PAPER = (
    Column("paper_AP", "paper AP", 1),
    Column("paper_AR", "paper AR", 1),
    Column("paper_params_m", "paper Params (M)", 1),
    Column("paper_gflops", "paper GFLOPs", 1),
    Column("paper_images_per_second", "paper images/s", 0),
)


def columns(rows: Sequence[Row], *, details: bool = False) -> tuple[Column, ...]:
    """The columns that these rows need: the control's and the paper's only where a row has them."""
    control = CONTROL if any(row.control or "control" in row.absent for row in rows) else ()
    paper = PAPER if any(row.paper for row in rows) else ()
    return (*OWN, *control, *COSTS, *(DETAILS if details else ()), *paper)


def numbers(row: Row) -> dict[str, float | None]:
    """Every number of a row by column key; AP, AR and gain in percent, None where there is none."""
    own, without = row.percent("AP"), row.percent("AP", control=True)
    cost, paper = row.cost, row.paper
    export = cost.onnxruntime if cost else None
    return {
        "AP": own,
        "AR": row.percent("AR"),
        "control_AP": without,
        "gain": None if own is None or without is None else own - without,
        "params_m": getattr(cost, "params_m", None),
        "gmacs": getattr(cost, "gmacs", None),
        "gflops": getattr(cost, "gflops", None),
        "images_per_second": getattr(cost, "images_per_second", None),
        "latency_ms": getattr(cost, "latency_ms", None),
        "onnx_images_per_second": getattr(export, "images_per_second", None),
        "onnx_latency_ms": getattr(export, "latency_ms", None),
        "paper_AP": getattr(paper, "ap", None),
        "paper_AR": getattr(paper, "ar", None),
        "paper_params_m": getattr(paper, "params_m", None),
        "paper_gflops": getattr(paper, "gflops", None),
        "paper_images_per_second": getattr(paper, "images_per_second", None),
    }


def marks(row: Row) -> dict[str, str]:
    """Column key -> what a reader must know of that cell before believing it."""
    found = numbers(row)
    told = {"AP": NOT_RUN} if row.metrics is None else {}
    if "control" in row.absent:
        told["control_AP"] = NOT_RUN
    if row.cost is None:
        told |= {column.key: NOT_RUN for column in COSTS}
    recalls = {"AP": found["AR"], "control_AP": row.percent("AR", control=True), "paper_AP": found["paper_AR"]}
    for key, recall in recalls.items():
        precision = found[key]
        if precision is not None and recall is not None and precision > recall + SLACK:
            told[key] = IMPOSSIBLE
    return told


def cells(row: Row, shown: Sequence[Column]) -> list[str]:
    """The numbers of a row as printed, with their marks."""
    found, told = numbers(row), marks(row)
    return [text(found[c.key], c) + MARKS.get(told.get(c.key, ""), "") for c in shown]


def notes(rows: Sequence[Row]) -> list[str]:
    """What the marks mean that these rows have."""
    return [
        f"{MARKS[mark]} {meaning}."
        for mark, meaning in NOTES.items()
        if any(mark in marks(row).values() for row in rows)
    ]


def text(value: float | None, column: Column) -> str:
    """A number as printed: as many digits as it deserves."""
    if value is None:
        return "–"
    if column.key == "gain":
        return f"{value:+.1f}"
    if column.digits is not None:
        return f"{value:.{column.digits}f}"
    if value >= 100:
        return f"{value:.0f}" if column.key == "images_per_second" else f"{value:.1f}"
    return f"{value:#.3g}"


def markdown(rows: Sequence[Row]) -> str:
    """The table, its caption and its notes as Markdown."""
    shown = columns(rows)
    lines = [["Model", *(c.head for c in shown)]]
    lines += [[_named(row), *cells(row, shown)] for row in rows]
    table = aligned(lines)
    return "\n".join([*table, "", *(f"{line}  " for line in [*caption(rows), *notes(rows)])]) + "\n"


def _named(row: Row) -> str:
    return f"{row.name} (teacher)" if row.role == "teacher" and "teacher" not in row.name.lower() else row.name


def aligned(lines: Sequence[Sequence[str]], names: int = 1) -> list[str]:
    """A Markdown table, heads first, that is readable as it is: `names` columns to the left, numbers to the right."""
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
    rule = ["-" * w if i < names else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    filled = [
        [c.ljust(w) if i < names else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        for line in lines
    ]
    return [f"| {' | '.join(line)} |" for line in [filled[0], rule, *filled[1:]]]


def comma_separated(rows: Sequence[Row]) -> str:
    """Every number unrounded, one row a model, for other programs."""
    keys = [c.key for c in (*OWN, *CONTROL, *COSTS, *DETAILS, *PAPER)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["model", "role", "paper_model", *keys, "marks"])
    for row in rows:
        found = numbers(row)
        told = "; ".join(f"{key} {mark}" for key, mark in marks(row).items())
        values = ["" if found[key] is None else f"{found[key]:.6g}" for key in keys]
        writer.writerow([row.name, row.role, row.paper.name if row.paper else "", *values, told])
    return file.getvalue()


def latex(rows: Sequence[Row]) -> str:
    r"""The table as a LaTeX `table*` for booktabs; `\input` it."""
    shown = columns(rows)
    body = []
    for place, row in enumerate(rows):
        if place and rows[place - 1].role != row.role:
            body.append(r"\midrule")
        body.append(" & ".join(map(escape, [_named(row), *cells(row, shown)])) + r" \\")
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering",
            r"\caption{" + " ".join(map(escape, [*caption(rows), *notes(rows)])) + "}",
            r"\small",
            r"\begin{tabular}{l" + "r" * len(shown) + "}",
            r"\toprule",
            " & ".join(["Model", *(escape(c.head) for c in shown)]) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def escape(words: str) -> str:
    """Text for LaTeX."""
    table = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$"}
    table |= {"†": LATEX_MARKS[IMPOSSIBLE], "‡": LATEX_MARKS[NOT_RUN], "–": "--", **{c: "\\" + c for c in "&%$#_{}"}}
    return "".join(table.get(c, c) for c in words)
