"""Options of a command that are fields of pydantic settings: type, help and default are those of the field."""

import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Command = TypeVar("Command", bound=Callable[..., Any])


def setting_options(
    settings: type[BaseModel], paths: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Return a decorator that adds an option for each of `paths`: parameter of the command -> path of a field.

    The parameter is None where the option is not given, so that it can be laid over other settings. Values are checked
    by the settings, which name every mistake at once. defaults: shown in place of the field's own.
    """

    def add(command: Command) -> Command:
        for parameter, path in reversed(list(paths.items())):
            field = field_at(settings, path)
            default = (defaults or {}).get(parameter) or f"{field.default}"
            option = click.option(
                f"--{parameter.replace('_', '-')}",
                parameter,
                type=click_type(field.annotation),
                help=f"{field.description}  [default: {default}]",
            )
            command = option(command)
        return command

    return add


def field_at(settings: type[BaseModel], path: str) -> FieldInfo:
    """Return the field of a dotted path, such as "train.lr"."""
    *parents, leaf = path.split(".")
    for name in parents:
        model = settings.model_fields[name].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        settings = model
    return settings.model_fields[leaf]


def click_type(annotation: Any) -> Any:
    """Return the type of an option for a field of a number, a text or a choice; null cannot be given."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return click.Choice(inner)
    if origin in (Union, types.UnionType):
        (present,) = [one for one in inner if one is not types.NoneType]
        return click_type(present)
    if annotation in (int, float, str):
        return annotation
    raise TypeError(f"no option for a field of type {annotation}: expected a number, a text or choices")
