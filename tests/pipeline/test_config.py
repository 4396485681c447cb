"""The configuration files of the project are valid, and a mistake is named with its path."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from cache_tools.skeletons import load_skeleton, matching_joints
from pipeline.config import Config, StudentConfig, load_config, parse_config
from pipeline.teachers.load import load_network
from student.augment_recipes import RECIPES

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
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


def test_more_seeds_repeat_the_student_and_its_control() -> None:
    student = StudentConfig.model_validate({"name": "small", "seeds": 3, "train": {"seed": 5}})
    seeds = {name: run.train.seed for name, run in student.runs().items()}
    assert seeds == {
        "small": 5, "small-control": 5, "small-seed6": 6, "small-seed6-control": 6, "small-seed7": 7,
        "small-seed7-control": 7,
    }  # fmt: skip
    assert {run.distill.mode for name, run in student.runs().items() if name.endswith("control")} == {"none"}


def test_a_control_is_the_same_student_without_a_teacher() -> None:
    runs = parse_config(SMALL).runs
    assert list(runs) == ["small", "small-control"]
    student, control = (runs[name].model_dump() for name in runs)
    assert (student["distill"].pop("mode"), control["distill"].pop("mode")) == ("cached", "none")
    assert {**student, "name": None} == {**control, "name": None}


def test_a_student_overrides_the_defaults() -> None:
    students = [{"name": "a"}, {"name": "b", "train": {"lr": 1e-3}, "model": {"head": "subpixel"}}]
    defaults = {"train": {"lr": 2e-3, "epochs": 7}, "model": {"head": "lateral", "weights": "none"}}
    runs = parse_config({**SMALL, "defaults": defaults, "students": students}).runs
    assert (runs["a"].train.lr, runs["a"].train.epochs, runs["a"].model.head) == (2e-3, 7, "lateral")
    assert (runs["b"].train.lr, runs["b"].train.epochs, runs["b"].model.head) == (1e-3, 7, "subpixel")
    assert runs["b"].model.weights == "none"


def test_a_mapping_changes_the_augmentation_recipe_of_the_defaults() -> None:
    students = [{"name": "a", "augment": {"colour": 0}}, {"name": "b", "augment": "paper"}, {"name": "c"}]
    runs = parse_config({**SMALL, "defaults": {"augment": "light"}, "students": students}).runs
    assert runs["a"].augment == RECIPES["light"].model_copy(update={"colour": 0})
    assert (runs["b"].augment, runs["c"].augment) == ("paper", "light")


def test_a_configuration_is_read_without_torch() -> None:
    code = "import sys, pipeline.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_cached_and_shown_by_default() -> None:
    teachers = [{"name": n, "reference": "student:demo"} for n in ("t1", "t2")]
    students = [{"name": f"s{n}"} for n in range(6)]
    config = parse_config({**SMALL, "teachers": teachers, "students": students})
    assert ([t.name for t in config.cached_teachers], config.shown) == (["t1"], ["s0", "s1", "s2", "s3"])
    store, report = {"teachers": ["t1", "t2"]}, {"students": ["s5", "s5-control"]}
    config = parse_config({**SMALL, "teachers": teachers, "students": students, "store": store, "report": report})
    assert ([t.name for t in config.cached_teachers], config.shown) == (["t1", "t2"], ["s5", "s5-control"])


def test_every_key_is_described() -> None:
    def undescribed(model: type[BaseModel], path: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            found += [] if field.description else [path + name]
            for part in (field.annotation, *get_args(field.annotation)):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    found += undescribed(part, f"{path}{name}.")
        return found

    assert undescribed(Config) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"studnets": []}, "studnets"),
        ({"students": [{"name": "a", "train": {"learning_rate": 1}}]}, r"students\.0\.train\.learning_rate"),
        ({"students": [{"name": "a", "distill": {"alpha": 1.5}}]}, r"students\.0\.distill\.alpha.*1\.5"),
        ({"students": [{"name": "a"}, {"name": "a"}]}, "found twice: a"),
        ({"students": [{"name": "a", "model": {"input_size": [128, 96], "heatmap_size": [64, 48]}}]}, "gives"),
        ({"data": {"root": "x"}}, r"data\.train"),
        ({"teachers": [{"name": "a b", "reference": "student:demo"}]}, r"teachers\.0\.name"),
        ({"report": {"students": ["smal"]}}, "report names 'smal': did you mean small"),
        ({"one_stream": True, "students": [{"name": n, "train": {"seed": len(n)}} for n in ("a", "bb")]}, "train.seed"),
        ({"store": {"teachers": ["techer"]}}, "store.teachers names 'techer': did you mean teacher"),
        ({"defaults": {"augment": "lihgt"}, "students": [{"name": "a", "augment": {"flip": 0}}]}, "unknown augmentati"),
    ],
)
def test_mistakes_are_named_with_their_path(change: dict[str, Any], message: str) -> None:
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


@pytest.mark.parametrize(
    ("data", "joints", "message"),
    [
        ({"skeleton": "cocoo"}, {}, r"data\.skeleton: .*unknown skeleton 'cocoo': expected a YAML file or one of coco"),
        (
            {"skeleton": "nowhere.yaml"},
            {},
            r"data\.skeleton: .*there is no file nowhere.yaml: expected a skeleton in YAML",
        ),
        ({"skeleton": "mechanical"}, {"left_talu": "left_ankle"}, "no keypoint 'left_talu': did you mean left_talus"),
        ({"category": [True]}, {}, r"data\.category"),
        ({"category": [1.5]}, {}, r"data\.category"),
    ],
)
def test_a_mistake_in_keypoints_is_named(data: dict[str, Any], joints: dict[str, str], message: str) -> None:
    teachers = [{"name": "t", "reference": "student:demo", "joints": joints}]
    with pytest.raises(ValueError, match=message):
        parse_config({**SMALL, "data": {**SMALL["data"], **data}, "teachers": teachers})


def test_the_teacher_of_the_legs_knows_their_joints() -> None:
    """A build by a teacher that knows none of them is refused, after people were rendered."""
    config = load_config(ROOT / "config" / "legs.yaml")
    skeleton = load_skeleton(str(ROOT / str(config.data.skeleton)))
    for teacher in config.teachers:
        known = load_network(teacher.reference, "cpu").skeleton
        assert known is not None
        assert None not in matching_joints(known.names, skeleton.names)
