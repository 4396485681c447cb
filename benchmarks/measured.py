"""Figures beside their targets, and how they come from one benchmark into the table of all of them (all.py)."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

#: names the file to which a benchmark adds its rows, one JSON object a line
ROWS_FILE = "KDCACHE_BENCHMARK_ROWS"
HEADS = ("", "measured", "unit", "target", "met", "note")
MET = {True: "yes", False: "NO", None: ""}


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    #: None: it could not be measured, for the reason in `note`
    value: float | None
    unit: str = ""
    #: as text, such as ">= 95"; empty where a number is only informative
    target: str = ""
    #: whether the target is met; None without a target, and on a machine that it is not for
    met: bool | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        value = "" if self.value is None else f"{self.value:.4g}"
        return self.what, value, self.unit, self.target, MET[self.met], self.note


def at_most(what: str, value: float, limit: float, unit: str = "", note: str = "", *, judged: bool = True) -> Row:
    """Return a row whose target is an upper limit. judged: False where the target is for another kind of machine."""
    return Row(what, value, unit, f"<= {limit:g}", value <= limit if judged else None, note)


def at_least(what: str, value: float, limit: float, unit: str = "", note: str = "", *, judged: bool = True) -> Row:
    """Return a row whose target is a lower limit. judged: False where the target is for another kind of machine."""
    return Row(what, value, unit, f">= {limit:g}", value >= limit if judged else None, note)


def hand_on(rows: Sequence[Row]) -> None:
    """Add rows to the table of all benchmarks, where one runs them all; else do nothing."""
    if path := os.environ.get(ROWS_FILE):
        append(Path(path), rows)


def append(path: Path, rows: Sequence[Row]) -> None:
    """Add rows to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def handed_on(path: Path) -> list[Row]:
    """Return the rows that were added to a file."""
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
