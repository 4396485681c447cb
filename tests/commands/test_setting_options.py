"""Options made of the fields of settings: their type, help and default are those of the field."""

import json
from typing import Any, Literal, get_args

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from pipeline.cli import kdcache
from pipeline.commands.setting_options import field_at, setting_options
from student.settings import StudentSettings


class Inner(BaseModel):
    """Settings inside settings."""

    kind: Literal["a", "b"] = Field("b", description="Which kind.")
    limit: float | None = Field(0.5, description="Largest value.")
    sizes: list[int] = Field([1], description="Sizes.")


class Outer(BaseModel):
    """Settings of a command."""

    name: str = Field(description="Its name.")
    inner: Inner = Inner()


@click.command()
@setting_options(
    Outer, {"name": "name", "the_kind": "inner.kind", "limit": "inner.limit"}, defaults={"name": "that of the folder"}
)
def command(**options: Any) -> None:
    """Print the options."""
    click.echo(json.dumps(options))


def test_help_and_default_are_those_of_the_field() -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "--name TEXT Its name. [default: that of the folder]" in text
    assert "--the-kind [a|b] Which kind. [default: b]" in text
    assert "--limit FLOAT Largest value. [default: 0.5]" in text


def test_an_option_that_is_not_given_is_none() -> None:
    result = CliRunner().invoke(command, ["--limit", "2"])
    assert json.loads(result.output) == {"name": None, "the_kind": None, "limit": 2.0}


def test_a_choice_is_checked() -> None:
    result = CliRunner().invoke(command, ["--the-kind", "c"])
    assert result.exit_code == 2
    assert "'c' is not one of 'a', 'b'" in result.output


def test_a_field_that_no_option_can_hold() -> None:
    with pytest.raises(TypeError, match="expected a number, a text or choices"):
        setting_options(Outer, {"sizes": "inner.sizes"})(lambda sizes: None)


def test_every_option_of_train_has_its_field_s_description() -> None:
    text = " ".join(CliRunner().invoke(kdcache, ["train", "--help"]).output.split())
    for path in (("model", "backbone"), ("distill", "mode"), ("train", "lr")):
        field = StudentSettings.model_fields[path[0]].annotation.model_fields[path[1]]  # type: ignore[union-attr]
        assert f"{field.description} [default: {field.default}]" in text


def test_every_setting_is_described() -> None:
    def described(settings: type[BaseModel]) -> None:
        for name, field in settings.model_fields.items():
            assert field.description, f"{settings.__name__}.{name}"
            assert field.description.endswith("."), f"{settings.__name__}.{name}"
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                described(inner)

    described(StudentSettings)


@pytest.mark.parametrize("name", ["zoo", "benchmark"])
def test_an_untrained_student_has_the_choices_and_defaults_of_the_settings(name: str) -> None:
    options = {option.name: option for option in kdcache.get_command(click.Context(kdcache), name).params}  # type: ignore[union-attr]
    head, size = field_at(StudentSettings, "model.head"), field_at(StudentSettings, "model.input_size")
    choices = options["head"].type
    assert isinstance(choices, click.Choice)
    assert tuple(choices.choices) == get_args(head.annotation)
    assert (options["head"].default, options["input_size"].default) == (head.default, size.default)
