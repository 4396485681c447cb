"""Documents and rows of a report: a metrics.json, a cost.json, and the paper's own Table 1 as if we had measured it."""

from typing import Any

from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import Metrics
from pipeline.report.rows import Row
from student.models.paper import paper_rows

COST: dict[str, Any] = {
    "params_m": 7.418,
    "gmacs": 0.5531,
    "gflops": 1.118,
    "images_per_second": 4321.5,
    "latency_ms": 2.25,
    "batch_size": 128,
    "dtype": "bfloat16",
    "device": "NVIDIA H100",
    "onnxruntime": {"images_per_second": 80.5, "latency_ms": 14.5, "device": "a processor"},
    "protocol": {"measured": "crops on the device", "channels_last": True, "compile": False},
}


def metrics_document(ap: float | None, ar: float | None, **protocol: Any) -> dict[str, Any]:
    """Return the content of a metrics.json; keys of its protocol can be replaced."""
    usual = {
        "predictor": "x",
        "weights": "0",
        "input_size": [256, 192],
        "flip": True,
        "dtype": "float32",
        "device": "cpu",
        "decoder": "DARK/UDP: in words",
        "boxes": {"source": "gt", "boxes": 6352},
        "annotations": {"file": "person_keypoints_val2017.json", "digest": "0123456789abcdef"},
        "persons": 6352,
        "images": 5000,
    }
    return {"AP": ap, "AR": ar, "protocol": usual | protocol}


def metrics(ap: float | None, ar: float | None, **protocol: Any) -> Metrics:
    """Return the same as the model that reads it."""
    return Metrics.model_validate(metrics_document(ap, ar, **protocol))


def cost(**changes: Any) -> Cost:
    """Return COST as the model that reads it, with some of its keys replaced."""
    return Cost.model_validate(COST | changes)


def paper_chart_rows() -> list[Row]:
    """Return the paper's own figure 2, with a control below each student."""
    rows = []
    for row in paper_rows():
        ap, ar = row.ap / 100, row.ar / 100
        rows.append(
            Row(
                name=row.name,
                role=row.role,
                paper=row,
                metrics=metrics(ap, ar),
                control=metrics(ap - 0.01, ar) if row.role == "student" else None,
                cost=cost(params_m=row.params_m, images_per_second=row.images_per_second),
            )
        )
    return rows
