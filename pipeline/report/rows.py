"""The rows of a report: a teacher or a student, metrics.json, its control's, cost.json, its row of the paper."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.config import describe
from student.models.paper import PaperRow, paper_row, paper_rows
from student.settings import Settings

Role = Literal["teacher", "student"]


class RowFiles(Settings):
    """One row as a user describes it; a file that does not exist yet makes a row that was not run."""

    name: str
    role: Role
    paper: str | None = None  # name of the row in the paper's Table 1
    metrics: Path | None = None
    control: Path | None = None  # metrics of the same network trained without the teacher
    cost: Path | None = None


class ExportSpeed(BaseModel):
    """Speed of a student's ONNX file by ONNX Runtime on the CPU, in float32."""

    model_config = ConfigDict(frozen=True)

    images_per_second: float
    latency_ms: float
    device: str


class CostProtocol(BaseModel):
    """How a cost.json was measured; None where a network leaves no choice."""

    model_config = ConfigDict(frozen=True)

    measured: str = "unstated"
    channels_last: bool | None = None
    compile: bool | None = None
    folded: bool = False  # a mixture of experts counted, and run, as one dense network


class Cost(BaseModel):
    """What the report reads of a cost.json; None where a network does not tell (the FLOPs of an ONNX file)."""

    model_config = ConfigDict(frozen=True)

    params_m: float | None
    gmacs: float | None
    gflops: float | None  # by Table 1's counter
    images_per_second: float
    latency_ms: float | None = None  # of a single image
    batch_size: int
    dtype: str
    device: str
    onnxruntime: ExportSpeed | None = None
    protocol: CostProtocol = CostProtocol()


@dataclass(frozen=True)
class Row:
    """One row of the report."""

    name: str
    role: Role
    paper: PaperRow | None
    metrics: dict[str, Any] | None  # None: not run
    control: dict[str, Any] | None
    cost: Cost | None
    absent: Mapping[str, str] = field(default_factory=dict)  # metrics, control or cost -> a file that does not exist

    def percent(self, metric: str, *, control: bool = False) -> float | None:
        """A metric of the row or of its control, in percent."""
        value = ((self.control if control else self.metrics) or {}).get(metric)
        return None if value is None else 100 * value


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
    cost = _read(files.cost)
    try:
        checked = None if cost is None else Cost.model_validate(cost)
    except ValidationError as error:
        raise ValueError(f"{files.cost} is not a cost.json of `kdcache benchmark`:\n{describe(error)}") from None
    named = {"metrics": files.metrics, "control": files.control, "cost": files.cost}
    return Row(
        files.name,
        files.role,
        paper,
        _metrics(files.metrics),
        _metrics(files.control),
        checked,
        {kind: str(path) for kind, path in named.items() if path is not None and not path.exists()},
    )


def _metrics(path: Path | None) -> dict[str, Any] | None:
    metrics = _read(path)
    if metrics is not None and not {"AP", "AR", "protocol"} <= metrics.keys():
        raise ValueError(f"{path} is not a metrics.json of `kdcache evaluate`: expected AP, AR and protocol in it")
    return metrics


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None or not path.exists():
        return None
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): make it again") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a {type(data).__name__}: expected a JSON object")
    return data
