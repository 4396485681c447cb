"""The paper's Table 1: the only place that holds its numbers (paper_table1.csv beside this file)."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

TABLE = Path(__file__).with_name("paper_table1.csv")


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One row of Table 1, as printed."""

    name: str
    #: percent, "mAR" in the paper
    ar: float
    #: percent, "mAP"
    ap: float
    params_m: float
    #: 2 a multiply-accumulate, by the counter of student/models/flops.py
    gflops: float
    images_per_second: float
    role: Literal["teacher", "student"]
    #: origin of the backbone: torchvision, timm, or "" for a teacher
    library: str
    #: its name in that library; a hub name for a teacher
    model: str


@cache
def paper_rows() -> tuple[PaperRow, ...]:
    """Return Table 1 in the paper's order: four teachers, then fourteen students."""
    with TABLE.open(newline="") as file:
        return tuple(_parse_row(line) for line in csv.DictReader(file))


def paper_row(name: str) -> PaperRow | None:
    """Return the row of a model in any spelling of its name, or None when the paper has no such model."""
    return next((row for row in paper_rows() if canonical_name(row.name) == canonical_name(name)), None)


def canonical_name(name: str) -> str:
    """Return a model's name in lower case with `_` for `-` and `.`: spellings that differ in those are equal."""
    return name.lower().replace("-", "_").replace(".", "_")


def _parse_row(line: dict[str, str]) -> PaperRow:
    library, _, model = line["backbone"].rpartition(" ")
    return PaperRow(
        name=line["model"],
        ar=float(line["mar"]),
        ap=float(line["map"]),
        params_m=float(line["params_m"]),
        gflops=float(line["gflops"]),
        images_per_second=float(line["fps"]),
        role=cast(Literal["teacher", "student"], line["role"]),
        library=library,
        model=model,
    )
