"""The rows of a report: a teacher or a student, its metrics.json and cost.json, and its row of the paper."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from cache_tools.input_file import kind_of, read_input_text
from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import Metrics
from pipeline.result_file import ResultFile
from student.models.paper import PaperRow, paper_row, paper_rows
from student.settings import Settings, list_mistakes

Role = Literal["teacher", "student"]
File = TypeVar("File", bound=ResultFile)


class RepeatFiles(Settings):
    """The same student, and its control, trained with another seed."""

    metrics: Path
    control: Path | None = None


class RowFiles(Settings):
    """One row as a user describes it; a file that does not exist yet makes a row that was not run."""

    #: as printed
    name: str
    role: Role
    #: name of the row in the paper's Table 1
    paper: str | None = None
    #: metrics.json of `kdcache evaluate`
    metrics: Path | None = None
    #: metrics.json of the same network trained without the teacher
    control: Path | None = None
    #: the same with other seeds; the row then shows means
    repeats: list[RepeatFiles] = Field(default_factory=list)
    #: cost.json of `kdcache benchmark`
    cost: Path | None = None

    def files(self) -> dict[str, Path]:
        """Return every file that the row is read from, by what it is: "metrics", "control", "cost", "metrics 2", ..."""
        named = {"metrics": self.metrics, "control": self.control, "cost": self.cost}
        for number, repeat in enumerate(self.repeats, start=2):
            named |= {f"metrics {number}": repeat.metrics, f"control {number}": repeat.control}
        return {what: path for what, path in named.items() if path is not None}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the report."""

    name: str
    role: Role
    paper: PaperRow | None = None
    #: None: not run
    metrics: Metrics | None = None
    #: of the same network trained without the teacher
    control: Metrics | None = None
    #: the row and its control with other seeds
    repeats: tuple[tuple[Metrics | None, Metrics | None], ...] = ()
    cost: Cost | None = None
    #: "metrics", "control", "cost", "metrics 2", ... -> a file that does not exist
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> list[tuple[Metrics | None, Metrics | None]]:
        """Return the metrics of the row and of its control, of each seed."""
        return [(self.metrics, self.control), *self.repeats]

    def percent(self, metric: str, *, control: bool = False) -> float | None:
        """Return a metric of the row or of its control, in percent; the mean of the seeds that were run."""
        found = [_percent(pair[control], metric) for pair in self.seeds]
        values = [value for value in found if value is not None]
        return fmean(values) if values else None

    def gains(self) -> list[float]:
        """Return by how much AP is above the control's, in percent, of each seed that has both."""
        found = [(_percent(metrics, "AP"), _percent(control, "AP")) for metrics, control in self.seeds]
        return [ap - without for ap, without in found if ap is not None and without is not None]


def load_rows(description: str) -> list[Row]:
    """Return rows, teachers first, of a JSON or YAML file that holds a list of RowFiles, or of the list itself as JSON.

    Raises ValueError with the path of each wrong key, and for a row that the paper's Table 1 does not have.
    """
    import yaml

    inline = description.lstrip().startswith("[")
    source = "the list of rows" if inline else description
    try:
        text = description if inline else read_input_text(description, "a list of rows in JSON or YAML")
        data = json.loads(text) if inline else yaml.safe_load(text)
        if not isinstance(data, list):
            raise ValueError(f"{source} holds {kind_of(data)}: expected a list of {{name, role, metrics, cost}}")
        files = TypeAdapter(list[RowFiles]).validate_python(data)
    except ValidationError as error:
        raise ValueError(f"{source} is not a list of rows:\n{list_mistakes(error)}") from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{source} is neither JSON nor YAML: {error}") from None
    if not files:
        raise ValueError(f"{source} is empty: expected at least one of {{name, role, metrics, cost}}")
    return sorted(map(_row, files), key=lambda row: row.role != "teacher")


def _percent(metrics: Metrics | None, metric: str) -> float | None:
    return None if metrics is None else metrics.percent(metric)


def _row(files: RowFiles) -> Row:
    return Row(
        name=files.name,
        role=files.role,
        paper=None if files.paper is None else _paper_row(files.name, files.paper),
        metrics=_read(Metrics, files.metrics),
        control=_read(Metrics, files.control),
        repeats=tuple((_read(Metrics, repeat.metrics), _read(Metrics, repeat.control)) for repeat in files.repeats),
        cost=_read(Cost, files.cost),
        absent={what: str(path) for what, path in files.files().items() if not path.exists()},
    )


def _paper_row(name: str, paper_name: str) -> PaperRow:
    paper = paper_row(paper_name)
    if paper is None:
        known = ", ".join(row.name for row in paper_rows())
        raise ValueError(f"row {name!r}: the paper's Table 1 has no row {paper_name!r}: expected one of {known}")
    return paper


def _read(kind: type[File], path: Path | None) -> File | None:
    """Return the content of a result file; None where none is named or it does not exist yet."""
    return None if path is None or not path.exists() else kind.read(path)
