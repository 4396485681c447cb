"""Documents with one thing wrong: a value replaced by what JSON may hold in its place, removed, or there twice."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from hypothesis import settings

#: what stands in place of a value
VALUES: list[Any] = [
    None, True, False, 0, 1, 2, -1, 3, 17, 255, 0.5, -0.5, float("nan"), float("inf"), -float("inf"), 1e308, 2**31,
    2**63, -(2**63) - 1, 10**400, "", "a", "1", "0x1", "１", "²", "NaN", " 7 ", "7.0", "a" * 5000, "\ud800", "../x", [],
    [1], [[1]], [None], {}, {"a": 1}, [[[[[[[[1]]]]]]]],
]  # fmt: skip
#: examples of a hypothesis test from which on every change is tried: those of the profile `fuzz` (tests/conftest.py)
MANY = 1000
#: entries of a long list that are changed
CHANGED_ENTRIES = 6


class Mutation(NamedTuple):
    """One change of a document."""

    #: keys and indices that lead to the value
    path: tuple[Any, ...]
    #: "replace", "remove" or "double"
    how: str
    #: in place of the old one
    value: Any

    @property
    def field(self) -> str:
        """Return the innermost key that is a name."""
        return next((key for key in reversed(self.path) if isinstance(key, str)), "")


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a document, a few of each long list."""
    found = [path] if path else []
    if isinstance(document, dict):
        found += [place for key, inner in document.items() for place in places(inner, (*path, key))]
    elif isinstance(document, list):
        found += [
            place for key, inner in enumerate(document[:CHANGED_ENTRIES]) for place in places(inner, (*path, key))
        ]
    return found


def mutations(document: Any) -> Iterator[Mutation]:
    """Yield every single change of a document."""
    for path in places(document):
        for value in VALUES:
            yield Mutation(path, "replace", value)
        yield Mutation(path, "remove", None)
        if isinstance(path[-1], int):
            yield Mutation(path, "double", None)


def some(changes: Iterable[Mutation], one_in: int) -> list[Mutation]:
    """Return one of every `one_in` changes; all of them in `make fuzz`."""
    every = [*changes]
    return every if settings().max_examples >= MANY else every[::one_in]


def mutated(document: Any, *changes: Mutation) -> Any:
    """Return a copy of a document with changes, of which those whose place another change took away have no effect."""
    changed = copy.deepcopy(document)
    for path, how, value in changes:
        holder: Any = changed
        try:
            for key in path[:-1]:
                holder = holder[key]
            if how == "remove":
                del holder[path[-1]]
            elif how == "double":
                holder.append(copy.deepcopy(holder[path[-1]]))
            else:
                holder[path[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return changed
