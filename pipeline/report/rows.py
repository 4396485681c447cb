"""The rows of a report: a teacher or a student, metrics.json, its control's, cost.json, its row of the paper."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.config import describe
from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import Metrics
from pipeline.result_file import ResultFile
from student.models.paper import PaperRow, paper_row, paper_rows
from student.settings import Settings

Role = Literal["teacher", "student"]
File = TypeVar("File", bound=ResultFile)


class RowFiles(Settings):
    """One row as a user describes it; a file that does not exist yet makes a row that was not run."""

    name: str
    role: Role
    paper: str | None = None  # name of the row in the paper's Table 1
    metrics: Path | None = None
    control: Path | None = None  # metrics of the same network trained without the teacher
    cost: Path | None = None


@dataclass(frozen=True)
class Row:
    """One row of the report."""

    name: str
    role: Role
    paper: PaperRow | None
    metrics: Metrics | None  # None: not run
    control: Metrics | None
    cost: Cost | None
    absent: Mapping[str, str] = field(default_factory=dict)  # metrics, control or cost -> a file that does not exist

    def percent(self, metric: str, *, control: bool = False) -> float | None:
        """A metric of the row or of its control, in percent."""
        metrics = self.control if control else self.metrics
        return None if metrics is None else metrics.percent(metric)


def load_rows(description: str) -> list[Row]:
    """Rows, teachers first, from a JSON list of RowFiles, or from the JSON or YAML file that holds it.

    Raises ValueError with the path of each wrong key, and for a paper's row that Table 1 does not have.
    """
    import yaml

    inline = description.lstrip().startswith("[")
    source = "the rows" if inline else description
    try:
        data = json.loads(description) if inline else yaml.safe_load(Path(description).read_text())
        files = TypeAdapter(list[RowFiles]).validate_python(data)
    except ValidationError as error:
        raise ValueError(f"{source} is not a list of rows:\n{describe(error)}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{source} is neither JSON nor YAML: {error}") from None
    if not files:
        raise ValueError(f"{source} is empty: expected at least one of {{name, role, metrics, cost}}")
    return sorted(map(_row, files), key=lambda row: row.role != "teacher")


def _row(files: RowFiles) -> Row:
    paper = None
    if files.paper is not None:
        paper = paper_row(files.paper)
        if paper is None:
            known = ", ".join(row.name for row in paper_rows())
            raise ValueError(
                f"row {files.name!r}: the paper's Table 1 has no row {files.paper!r}: expected one of {known}"
            )
    named = {"metrics": files.metrics, "control": files.control, "cost": files.cost}
    return Row(
        files.name,
        files.role,
        paper,
        _read(Metrics, files.metrics),
        _read(Metrics, files.control),
        _read(Cost, files.cost),
        {kind: str(path) for kind, path in named.items() if path is not None and not path.exists()},
    )


def _read(kind: type[File], path: Path | None) -> File | None:
    """Return the content of a result file; None where none is named or it does not exist yet."""
    return None if path is None or not path.exists() else kind.read(path)
