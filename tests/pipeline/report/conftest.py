"""Rows of a report as files that describe them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.rows import Row, load_rows
from tests.samples.report_rows import COST, metrics_document


@pytest.fixture
def description(tmp_path: Path) -> list[dict[str, Any]]:
    """Write the files of a student with control and cost, a teacher, and a student that was not run; describe them."""
    unknown: dict[str, Any] = {"params_m": None, "gmacs": None, "gflops": None, "onnxruntime": None}
    documents = {
        "b0": metrics_document(0.7012, 0.7587),
        "b0-control": metrics_document(0.6951, 0.7544),
        "vit": metrics_document(0.7801, 0.8333, input_size=[384, 288]),
        "cost": COST,
        "unknown": COST
        | unknown
        | {"images_per_second": 31.25, "protocol": {"measured": "uint8 crops in memory", "folded": True}},
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))

    def path(name: str) -> str:
        return str(tmp_path / f"{name}.json")

    return [
        {
            "name": "B0",
            "role": "student",
            "paper": "efficientnet-b0",
            "metrics": path("b0"),
            "control": path("b0-control"),
            "cost": path("cost"),
        },
        {"name": "ViT", "role": "teacher", "paper": "VitPose-H", "metrics": path("vit"), "cost": path("unknown")},
        {"name": "B2", "role": "student", "paper": "Efficientnet_B2", "metrics": path("none"), "cost": path("cost")},
    ]


@pytest.fixture
def rows(description: list[dict[str, Any]]) -> list[Row]:
    """Return the same as rows."""
    return load_rows(json.dumps(description))
