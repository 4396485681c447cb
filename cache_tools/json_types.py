"""Values of a JSON document as the fields of a dataclass: of the type that the field states, or refused by name."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
LARGEST = 2**63


def read_record(cls: type[Record], document: Any, where: str) -> Record:
    """Return an instance of a dataclass from a JSON object; keys that it does not have are left out.

    where: how messages name the document, as "teacher".
    Raises ValueError with the name of the field where a value has another type than the field, is no finite number, or
    is missing without a default.
    """
    if not isinstance(document, Mapping):
        raise _unexpected(where, document, "an object")
    values: dict[str, Any] = {}
    known: type = cls
    hints = _hints(known)
    for field in fields(cls):  # type: ignore[arg-type]
        if not field.init:
            continue
        name = f"{where}.{field.name}" if where else field.name
        if field.name in document:
            values[field.name] = read_value(hints[field.name], document[field.name], name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{name} is missing: expected {_text(hints[field.name])}")
    try:
        return cls(**values)
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}" if where else str(problem)) from None


def read_value(hint: Any, value: Any, name: str) -> Any:
    """Return a JSON value as the type `hint` states it: lists become tuples where it is one.

    Known are int, float, str, bool, Literal, tuples, lists, dictionaries with text as keys, dataclasses, and any of
    these or None. Raises ValueError with `name` for any other value.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        others = [one for one in inner if one is not type(None)]
        return None if value is None else read_value(others[0], value, name)
    if origin is Literal:
        if not any(type(value) is type(choice) and value == choice for choice in inner):
            raise _unexpected(name, value, _text(hint))
        return value
    if origin in (tuple, list):
        return _read_list(hint, value, name)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _unexpected(name, value, _text(hint))
        return {key: read_value(inner[1], one, f"{name}.{key}") for key, one in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return read_record(hint, value, name)
    if not _IS[hint](value):
        raise _unexpected(name, value, _text(hint))
    return value


def _read_list(hint: Any, value: Any, name: str) -> Any:
    """Return a list, or a tuple, whose entries have the stated types."""
    origin, inner = get_origin(hint), get_args(hint)
    any_length = origin is list or inner[-1] is Ellipsis
    if not isinstance(value, list | tuple) or (not any_length and len(value) != len(inner)):
        raise _unexpected(name, value, _text(hint))
    if any_length and inner[0] in _IS and all(map(_IS[inner[0]], value)):
        # thousands of numbers of a matrix
        return origin(value)
    entries = [inner[0]] * len(value) if any_length else inner
    pairs = zip(entries, value, strict=True)
    return origin(read_value(one, entry, f"{name}[{place}]") for place, (one, entry) in enumerate(pairs))


def _is_int(value: Any) -> bool:
    return type(value) is int and abs(value) < LARGEST


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number that 64 bits hold."""
    return _is_int(value) or (type(value) is float and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


_IS = {int: _is_int, float: is_number, str: _is_text, bool: _is_bool}
_TEXTS = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}


def _text(hint: Any) -> str:
    """Return a type as a message says it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join("null" if one is type(None) else _text(one) for one in inner)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is dict or is_dataclass(hint):
        return "an object"
    if origin in (tuple, list):
        count = "" if origin is list or inner[-1] is Ellipsis else f" of {len(inner)}"
        return f"a list{count}, each {_text(inner[0])}"
    return _TEXTS[hint]


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _unexpected(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name or 'the document'} is {value!r:.60}: expected {expected}")
