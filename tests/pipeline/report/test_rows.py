"""Rows as users describe them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.rows import Row, load_rows
from tests.samples.report_rows import metrics_document


def test_a_list_and_a_file_of_it_give_the_same_rows(
    description: list[dict[str, Any]], rows: list[Row], tmp_path: Path
) -> None:
    (tmp_path / "rows.yaml").write_text("\n".join(f"- {json.dumps(row)}" for row in description))
    assert load_rows(str(tmp_path / "rows.yaml")) == rows
    # teachers first, else in the order given
    assert [row.name for row in rows] == ["ViT", "B0", "B2"]


def test_a_row_has_its_files_and_names_those_that_do_not_exist(rows: list[Row]) -> None:
    teacher, student, not_run = rows
    assert student.percent("AP") == pytest.approx(70.12)
    assert student.percent("AR", control=True) == pytest.approx(75.44)
    assert (student.cost, student.paper) != (None, None)
    assert teacher.percent("AP", control=True) is None
    assert (student.absent, teacher.absent) == ({}, {})
    assert not_run.metrics is None
    assert [Path(path).name for path in not_run.absent.values()] == ["none.json"]


def test_the_same_student_with_another_seed_is_part_of_its_row(tmp_path: Path) -> None:
    files = {}
    for name, ap in (("a", 0.30), ("a2", 0.34), ("control", 0.29)):
        files[name] = str(tmp_path / f"{name}.json")
        Path(files[name]).write_text(json.dumps(metrics_document(ap, 0.5)))
    repeat = {"metrics": files["a2"], "control": str(tmp_path / "none.json")}
    row = {"name": "a", "role": "student", "metrics": files["a"], "control": files["control"], "repeats": [repeat]}
    [found] = load_rows(json.dumps([row]))
    assert found.percent("AP") == pytest.approx(32)
    # a gain needs both of one seed
    assert found.gains() == pytest.approx([1])
    assert found.absent == {"control 2": str(tmp_path / "none.json")}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[]", "the list of rows is empty"),
        ('[{"name": "x", "role": "pupil"}]', "0.role: Input should be 'teacher' or 'student'"),
        ('[{"name": "x", "role": "student", "metric": "a"}]', "0.metric: there is no such key"),
        ('[{"name": "x", "role": "student", "paper": "Resnet51"}]', "no row 'Resnet51'.*Resnet50"),
        ('[{"name": "x", "role": "student"', "the list of rows is neither JSON nor YAML"),
    ],
)
def test_mistakes_in_the_rows_are_refused(rows: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_rows(rows)


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"params_m": 3}')
    for kind, message in (("metrics", "not a metrics.json"), ("cost", "images_per_second: is missing")):
        with pytest.raises(ValueError, match=message):
            load_rows(json.dumps([{"name": "x", "role": "student", kind: str(wrong)}]))
