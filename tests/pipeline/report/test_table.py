"""Table 1: every number in its place, the paper's beside ours, and marks at numbers that cannot be right."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

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
from tests.samples.report_rows import cost, metrics


def test_every_number_is_in_its_place(rows: list[Row]) -> None:
    found = row_numbers(rows[1])
    expected = {
        "AP": 70.12,
        "AR": 75.87,
        "control_AP": 69.51,
        "gain": 0.61,
        "gain_low": None,
        "gain_high": None,
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
    # readable as it is, not only rendered
    assert len({len(line) for line in lines[:5]}) == 1


def test_a_row_of_several_seeds_shows_means_and_the_spread_of_its_gains() -> None:
    repeats = ((metrics(0.36, 0.42), metrics(0.30, 0.38)), (metrics(0.32, 0.38), metrics(0.31, 0.37)))
    row = Row(
        name="w8", role="student", metrics=metrics(0.34, 0.4), control=metrics(0.32, 0.39), repeats=repeats, cost=cost()
    )
    found = row_numbers(row)
    expected = {"AP": 34, "AR": 40, "control_AP": 31, "gain": 3, "gain_low": 1, "gain_high": 6}
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    text = table_markdown([row])
    heads = [cell.strip() for cell in text.splitlines()[0].split("|")]
    assert heads[4:8] == ["AP without teacher", "gain", "lowest gain", "highest gain"]
    assert "AP, AR and gain of students: means; seeds 3." in text
    # a seed that was measured otherwise is named
    other = replace(row, repeats=(repeats[0], (metrics(0.32, 0.38, flip=False), repeats[1][1])))
    assert "flip test on, but off (w8, seed 3)" in table_markdown([other])


def test_what_is_impossible_and_what_was_not_run_is_marked(rows: list[Row]) -> None:
    assert row_marks(rows[1]) == {}
    assert row_marks(rows[2]) == {"AP": NOT_RUN, "paper_AP": IMPOSSIBLE}
    text = table_markdown(rows)
    assert "–‡" in text
    assert "67.1†" in text
    assert "† impossible by COCO's definition" in text
    # the file that is missing is named
    assert "none.json" in text


def test_of_the_papers_rows_exactly_b2_is_impossible() -> None:
    found = [
        row.name for row in paper_rows() if row_marks(Row(name=row.name, role=row.role, paper=row)).get("paper_AP")
    ]
    assert found == ["Efficientnet_B2"]


def test_our_own_numbers_are_checked_too() -> None:
    on_the_edge, beyond = metrics(0.5 + 0.0099, 0.5), metrics(0.5 + 0.01, 0.5)
    row = Row(name="x", role="student", metrics=on_the_edge, control=on_the_edge, cost=cost())
    assert row_marks(row) == {}
    assert row_marks(replace(row, metrics=beyond)) == {"AP": IMPOSSIBLE}
    assert row_marks(replace(row, control=beyond)) == {"control_AP": IMPOSSIBLE}


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
    assert text.count(r"\midrule") == 2
    assert r"$^\dagger$" in text
    assert "person\\_keypoints" in text
    assert not set("†‡–×") & set(text)


def test_no_empty_columns() -> None:
    row = Row(name="x", role="student", metrics=metrics(0.5, 0.6))
    heads = table_markdown([row]).splitlines()[0]
    assert [head.strip() for head in heads.strip("|").split("|")] == [
        "Model", "AP", "AR", "Params (M)", "GMACs", "GFLOPs", "images/s",
    ]  # fmt: skip
