"""docs/explain/mechanical-axis.md keeps its word: its files are valid and its commands have these options."""

import re
import shlex
from pathlib import Path

import click
import yaml

from cache_tools.skeletons import load_skeleton
from pipeline.cli import kdcache
from pipeline.hka.definition import define_angle
from student.settings import StudentSettings

PAGE = (Path(__file__).parents[2] / "docs/explain/mechanical-axis.md").read_text(encoding="utf-8")
SKELETON, SETTINGS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_skeleton_measures_the_mechanical_axis(tmp_path: Path) -> None:
    (tmp_path / "legs.yaml").write_text(SKELETON)
    assert define_angle(load_skeleton(str(tmp_path / "legs.yaml"))).is_mechanical


def test_the_student_is_valid_and_sees_as_many_samples_as_the_page_says() -> None:
    settings = StudentSettings.model_validate({"name": "student", **yaml.safe_load(SETTINGS)})
    persons, epochs = 3001, int(settings.train.epochs)
    assert f"{persons * epochs:,} samples ({persons:,} persons, {epochs} epochs" in PAGE


def test_the_commands_exist_with_these_options() -> None:
    block = re.sub(r"\\\n\s*", "", PAGE)
    lines = [shlex.split(line) for line in block.splitlines() if re.match(r" {4,}kdcache ", line)]
    assert [line[1] for line in lines] == ["demo-data", "build", "train", "hka"]
    for words in lines:
        found: click.Command = kdcache
        arguments = words[1:]
        while isinstance(found, click.Group):
            context = click.Context(found)
            name = arguments.pop(0)
            child = found.get_command(context, name)
            assert child is not None, name
            found = child
        options = {name for parameter in found.params for name in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= options
