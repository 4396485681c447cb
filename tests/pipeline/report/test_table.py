"""Table 1: every number in its place, the paper's beside ours, and marks where a row is not to be believed."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import kdcache
from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import Metrics
from pipeline.report.caption import caption_sentences
from pipeline.report.rows import Row, load_rows
from pipeline.report.table import (
    IMPOSSIBLE,
    NOT_RUN,
    row_marks,
    row_numbers,
    table_csv,
    table_latex,
    table_markdown,
)
from student.models.paper import paper_rows


def metrics(ap: float | None, ar: float | None, **protocol: Any) -> dict[str, Any]:
    base = {
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
    return {"AP": ap, "AR": ar, "protocol": base | protocol}


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


@pytest.fixture
def description(tmp_path: Path) -> list[dict[str, Any]]:
    """A student with control and cost, a teacher, and a student that was not run."""
    files = {
        "b0": metrics(0.7012, 0.7587),
        "b0-control": metrics(0.6951, 0.7544),
        "vit": metrics(0.7801, 0.8333, input_size=[384, 288]),
        "cost": COST,
        "unknown": COST
        | {"params_m": None, "gmacs": None, "gflops": None, "images_per_second": 31.25, "onnxruntime": None}
        | {"protocol": {"measured": "uint8 crops in memory", "folded": True}},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

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
    return load_rows(json.dumps(description))


def test_every_number_stands_in_its_place(rows: list[Row]) -> None:
    assert [row.name for row in rows] == ["ViT", "B0", "B2"]  # teachers first, else in the order given
    found = row_numbers(rows[1])
    expected = {
        "AP": 70.12,
        "AR": 75.87,
        "control_AP": 69.51,
        "gain": 0.61,
        "params_m": 7.418,
        "gmacs": 0.5531,
        "gflops": 1.118,
        "images_per_second": 4321.5,
        "latency_ms": 2.25,
        "onnx_images_per_second": 80.5,
        "onnx_latency_ms": 14.5,
        "paper_AP": 70.5,
        "paper_AR": 76.2,
        "paper_params_m": 7.4,
        "paper_gflops": 1.1,
        "paper_images_per_second": 6850,
    }
    assert found == pytest.approx(expected)


def test_markdown_as_printed(rows: list[Row]) -> None:
    lines = table_markdown(rows).splitlines()
    heads = [cell.strip() for cell in lines[0].strip("|").split("|")]
    cells = {line.split("|")[1].strip(): [c.strip() for c in line.strip("|").split("|")] for line in lines[2:5]}
    b0 = dict(zip(heads, cells["B0"], strict=True))
    assert (b0["AP"], b0["AR"], b0["AP without teacher"], b0["gain"]) == ("70.1", "75.9", "69.5", "+0.6")
    assert (b0["Params (M)"], b0["GMACs"], b0["GFLOPs"], b0["images/s"]) == ("7.42", "0.553", "1.12", "4322")
    assert (b0["paper AP"], b0["paper Params (M)"], b0["paper images/s"]) == ("70.5", "7.4", "6850")
    teacher = dict(zip(heads, cells["ViT (teacher)"], strict=True))
    assert (teacher["GMACs"], teacher["images/s"], teacher["gain"]) == ("–", "31.2", "–")
    assert len({len(line) for line in lines[:5]}) == 1  # readable as it is, not only rendered


def test_what_is_impossible_and_what_was_not_run_is_marked(rows: list[Row]) -> None:
    assert row_marks(rows[1]) == {}
    assert row_marks(rows[2]) == {"AP": NOT_RUN, "paper_AP": IMPOSSIBLE}
    text = table_markdown(rows)
    assert "–‡" in text
    assert "67.1†" in text
    assert "† impossible by COCO's definition" in text
    assert "none.json" in text  # the file that is missing is named


def test_of_the_papers_rows_exactly_b2_is_impossible() -> None:
    found = [
        row.name for row in paper_rows() if row_marks(Row(name=row.name, role=row.role, paper=row)).get("paper_AP")
    ]
    assert found == ["Efficientnet_B2"]


def test_ours_are_asserted_too() -> None:
    on_the_edge = Metrics.model_validate(metrics(0.5 + 0.0099, 0.5))
    beyond = Metrics.model_validate(metrics(0.5 + 0.01, 0.5))
    cost = Cost.model_validate(COST)
    assert row_marks(Row(name="x", role="student", metrics=on_the_edge, control=on_the_edge, cost=cost)) == {}
    assert row_marks(Row(name="x", role="student", metrics=beyond, cost=cost)) == {"AP": IMPOSSIBLE}
    assert row_marks(Row(name="x", role="student", metrics=on_the_edge, control=beyond, cost=cost)) == {
        "control_AP": IMPOSSIBLE
    }


def test_a_control_and_a_cost_that_are_missing_were_not_run(tmp_path: Path) -> None:
    named = {"control": str(tmp_path / "no"), "cost": str(tmp_path / "none")}
    [row] = load_rows(json.dumps([{"name": "x", "role": "student", **named}]))
    assert row_marks(row) == dict.fromkeys(
        ["AP", "control_AP", "params_m", "gmacs", "gflops", "images_per_second"], NOT_RUN
    )
    assert table_markdown([row]).count("–‡") == 6


def test_csv_keeps_all_digits_and_says_what_is_marked(rows: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(table_csv(rows))))
    assert [line["model"] for line in lines] == ["ViT", "B0", "B2"]
    assert float(lines[1]["AP"]) == 70.12
    assert float(lines[1]["gmacs"]) == 0.5531
    assert (lines[1]["latency_ms"], lines[1]["onnx_latency_ms"]) == ("2.25", "14.5")
    assert lines[0]["gmacs"] == lines[2]["AP"] == ""
    assert lines[2]["marks"] == "AP not run; paper_AP impossible"
    assert lines[1]["paper_model"] == "Efficientnet_B0"


def test_latex_is_well_formed(rows: list[Row]) -> None:
    text = table_latex(rows)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 4
    assert len({line.count("&") for line in body}) == 1
    assert text.count("{") == text.count("}")
    assert "Efficientnet_B2" not in text.replace(r"\_", "")
    assert r"$^\dagger$" in text
    assert "person\\_keypoints" in text
    assert not set("†‡–×") & set(text)


def test_the_caption_tells_the_protocol_and_who_differs(rows: list[Row]) -> None:
    words = " ".join(caption_sentences(rows, details=True))
    assert "6352 persons in 5000 images" in words
    assert "flip test on" in words
    assert "boxes of the ground truth" in words
    assert "input 256×192, but 384×288 (ViT)" in words
    assert "on NVIDIA H100; in bfloat16; batch 128" in words
    assert "from crops on the device, but uint8 crops in memory (ViT)" in words
    assert "channels_last on; torch.compile off" in words
    assert "by ONNX Runtime on a processor" in words
    assert "ONNX" not in " ".join(caption_sentences(rows))
    assert "ViT: counted and run with the experts folded" in words


def test_no_empty_columns() -> None:
    row = Row(name="x", role="student", metrics=Metrics.model_validate(metrics(0.5, 0.6)))
    heads = table_markdown([row]).splitlines()[0]
    assert [head.strip() for head in heads.strip("|").split("|")] == [
        "Model", "AP", "AR", "Params (M)", "GMACs", "GFLOPs", "images/s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[]", "the list of rows is empty"),
        ('[{"name": "x", "role": "pupil"}]', "0.role: Input should be 'teacher' or 'student'"),
        ('[{"name": "x", "role": "student", "metric": "a"}]', "0.metric: there is no such key"),
        ('[{"name": "x", "role": "student", "paper": "Resnet51"}]', "no row 'Resnet51'.*Resnet50"),
    ],
)
def test_mistakes_in_the_rows(rows: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_rows(rows)


def test_files_of_something_else(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"params_m": 3}')
    for kind, message in (("metrics", "not a metrics.json"), ("cost", "images_per_second: is missing")):
        with pytest.raises(ValueError, match=message):
            load_rows(json.dumps([{"name": "x", "role": "student", kind: str(wrong)}]))


def test_the_command_writes_three_files(tmp_path: Path, description: list[dict[str, Any]]) -> None:
    (tmp_path / "rows.yaml").write_text(json.dumps(description))
    arguments = ["report", "table", "--rows", str(tmp_path / "rows.yaml"), "--out", str(tmp_path / "report")]
    printed = CliRunner().invoke(kdcache, arguments, catch_exceptions=False).output
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["table.csv", "table.md", "table.tex"]
    assert printed == (tmp_path / "report" / "table.md").read_text()
