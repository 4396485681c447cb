"""The configuration files of the project are valid, and mistakes are named with their path."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import load_config, parse_config

ROOT = Path(__file__).parents[1]
SMALL = {
    "out": "results/x",
    "data": {
        "root": "photos",
        "train": {"images": "train", "annotations": "train.json"},
        "val": {"images": "val", "annotations": "val.json"},
    },
    "teachers": [{"name": "teacher", "reference": "student:demo"}],
    "students": [{"name": "small", "model": {"backbone": "timm:resnet10t"}}],
}


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path: Path) -> None:
    assert load_config(path).runs


def test_a_control_is_the_same_student_without_a_teacher() -> None:
    runs = parse_config(SMALL).runs
    assert list(runs) == ["small", "small-control"]
    student, control = (runs[name].model_dump() for name in runs)
    assert (student["distill"].pop("mode"), control["distill"].pop("mode")) == ("cached", "none")
    assert {**student, "name": None} == {**control, "name": None}


def test_defaults_lie_under_every_student_and_students_win() -> None:
    students = [{"name": "a"}, {"name": "b", "train": {"lr": 1e-3}, "model": {"head": "subpixel"}}]
    defaults = {"train": {"lr": 2e-3, "epochs": 7}, "model": {"head": "lateral", "weights": "none"}}
    runs = parse_config({**SMALL, "defaults": defaults, "students": students}).runs
    assert (runs["a"].train.lr, runs["a"].train.epochs, runs["a"].model.head) == (2e-3, 7, "lateral")
    assert (runs["b"].train.lr, runs["b"].train.epochs, runs["b"].model.head) == (1e-3, 7, "subpixel")
    assert runs["b"].model.weights == "none"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"studnets": []}, "studnets"),
        ({"students": [{"name": "a", "train": {"learning_rate": 1}}]}, r"students\.0\.train\.learning_rate"),
        ({"students": [{"name": "a", "distill": {"alpha": 1.5}}]}, r"students\.0\.distill\.alpha.*1\.5"),
        ({"students": [{"name": "a"}, {"name": "a"}]}, "found twice: a"),
        ({"students": [{"name": "a", "model": {"input_size": [128, 96], "heatmap_size": [64, 48]}}]}, "gives"),
        ({"data": {"root": "x"}}, r"data\.train"),
    ],
)
def test_mistakes_are_named_with_their_path(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_config({**SMALL, **change})


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(["a", "b"]))
    with pytest.raises(ValueError, match="holds a list"):
        load_config(path)
    path.write_text("a: [")
    with pytest.raises(ValueError, match="is not YAML"):
        load_config(path)
