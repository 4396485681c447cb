"""The paper's Table 1: the one place where its numbers stand (paper_table1.csv beside this file)."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

TABLE = Path(__file__).with_name("paper_table1.csv")


@dataclass(frozen=True)
class PaperRow:
    """One row of Table 1, as printed; `gflops` counts 2 per multiply-accumulate (student/flops.py)."""

    name: str
    ar: float  # percent, "mAR" in the paper
    ap: float  # percent, "mAP"
    params_m: float
    gflops: float
    images_per_second: float
    role: Literal["teacher", "student"]
    library: str  # where the backbone comes from: torchvision, timm, or "" for a teacher
    model: str  # its name there; a hub name for a teacher


@cache
def paper_rows() -> tuple[PaperRow, ...]:
    """Table 1 in the paper's order: four teachers, then fourteen students."""
    with TABLE.open(newline="") as file:
        return tuple(_row(line) for line in csv.DictReader(file))


def paper_row(name: str) -> PaperRow | None:
    """The row of a model however its name is spelt, or None when the paper has no such model."""
    return next((row for row in paper_rows() if fold(row.name) == fold(name)), None)


def fold(name: str) -> str:
    """A name without what its writers disagree about: case, and `-`, `.`, `_`, which count as the same."""
    return name.lower().replace("-", "_").replace(".", "_")


def _row(line: dict[str, str]) -> PaperRow:
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
