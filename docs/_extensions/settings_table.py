"""Directive `settings-table`: the keys of a pydantic model and of the models in it, as one table.

    .. settings-table:: student.settings.StudentSettings
       :flat:

Each key's type, default and description come from the model itself, so that the reference cannot differ from the code.
`:flat:` leaves out the keys of models inside it.
"""

import importlib
import types
import typing
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models that a type names, as itself or inside list, dict, tuple or a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in models_in(inner)]


def type_text(annotation: Any) -> str:
    """Return a type as a reader of YAML would write it: choices by their values, a model as "mapping"."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(inner[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(one) for one in inner if one is not type(None))
    if models_in(annotation):
        return "list" if origin in (list, tuple) else "mapping"
    if origin in (list, tuple):
        return f"list of {type_text(inner[0])}"
    if origin is dict:
        return "mapping"
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Path": "path"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def default_text(field: FieldInfo) -> str:
    """Return a default as YAML would show it; nothing where the key is required or holds a model."""
    value = field.get_default(call_default_factory=True) if field.default_factory is None else field.default_factory()  # type: ignore[call-arg]
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def rows_of(
    model: type[BaseModel], prefix: str = "", seen: tuple[type, ...] = (), *, flat: bool = False
) -> list[tuple[str, str, str, str]]:
    """Return (key, type, default, description) of every key of a model, those of models inside it after their key.

    flat: without those of models inside it.
    """
    rows = []
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        described = " ".join((field.description or "").split())
        rows.append((f"`{key}`", type_text(field.annotation), default_text(field), described))
        for inner in [] if flat else models_in(field.annotation):
            if inner not in seen:
                rows += rows_of(inner, f"{key}.", (*seen, model))
    return rows


class SettingsTable(Directive):
    """Insert the table of one model, named by its import path."""

    required_arguments = 1
    option_spec: ClassVar = {"flat": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the table as parsed Markdown."""
        module, _, name = self.arguments[0].rpartition(".")
        model = getattr(importlib.import_module(module), name)
        lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
        for row in rows_of(model, flat="flat" in self.options):
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
