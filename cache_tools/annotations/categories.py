"""Which categories of a COCO file are read, and which keypoints their annotations have.

The file's own `categories` say it. Default: all categories that name one and the same list of keypoints, as the 54
animals of AP-10K do. Nothing goes by the number 1, and nothing by a count that happens to be 17.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cache_tools.annotations.ids import whole_number
from cache_tools.skeletons import COCO, Skeleton, built_in_names, load_skeleton, skeleton_of_category

CATEGORIES_SHOWN = 20
NAMES_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Category:
    """One category of the file; `names` are those of its keypoints, empty where it names none."""

    id: int
    name: str
    names: tuple[str, ...]
    #: as the file has it
    entry: dict[str, Any]


def categories_of(document: dict[str, Any]) -> list[Category]:
    """Return the categories of a COCO file; ValueError where one is none, or where two have the same id."""
    stated = document.get("categories")
    if stated is None:
        return []
    if not isinstance(stated, list):
        raise ValueError(f"its 'categories' are a {type(stated).__name__}: expected a list")
    found: list[Category] = []
    for place, entry in enumerate(stated):
        if not isinstance(entry, dict):
            raise ValueError(f"entry {place} of 'categories' is {entry!r:.60}: expected an object with id and name")
        try:
            number = whole_number(entry.get("id"))
        except ValueError as problem:
            raise ValueError(f"entry {place} of 'categories': its id is {problem}") from None
        names = entry.get("keypoints") or []
        if not isinstance(names, list):
            raise ValueError(f"category {number}: its keypoints are {names!r:.60}: expected a list of names")
        stripped = tuple(str(name).strip() for name in names)
        found.append(Category(id=number, name=str(entry.get("name", "")), names=stripped, entry=entry))
    twice = [number for number, count in Counter(category.id for category in found).items() if count > 1]
    if twice:
        raise ValueError(f"two categories have the id {twice[0]}: expected different ids")
    return found


def chosen_categories(categories: Sequence[Category], wanted: Sequence[str]) -> list[Category]:
    """Return the categories to read: those that `wanted` names, or all that name the same keypoints.

    wanted: names or ids, as --category gives them. The result is empty where no category names keypoints.
    Raises ValueError where one of `wanted` is not there, and where categories name different keypoints.
    """
    named = [_found(categories, one) for one in wanted] or [category for category in categories if category.names]
    if len({category.names for category in named}) > 1:
        raise ValueError(
            f"it has categories with different keypoints ({_listed(named)}): choose with --category NAME or ID"
        )
    return named


def _found(categories: Sequence[Category], wanted: str) -> Category:
    by_id = [category for category in categories if str(category.id) == wanted]
    found = by_id or [category for category in categories if category.name == wanted]
    if len(found) != 1:
        problem = f"{len(found)} categories named {wanted!r}" if found else f"no category {wanted!r}"
        raise ValueError(f"it has {problem}: expected one of {_listed(categories)}")
    return found[0]


def skeleton_and_order(
    chosen: Sequence[Category], stated: Skeleton | None, expected: Skeleton | None
) -> tuple[Skeleton | None, tuple[int, ...] | None]:
    """Return the skeleton of a file's keypoints, and for each of its joints the place in the file (None: the same).

    stated: what the user says that the keypoints are. expected: what the store or the student has. The same names in
    another order are permuted, also to the order of a built-in skeleton; other names are refused where `expected` is
    given. The skeleton is None where neither the file nor the user names the keypoints.
    """
    named = chosen[0].names if chosen else ()
    own = _skeleton_of(chosen[0]) if named else None
    target = expected or stated
    if target is None:
        same_set = next((known for known in _built_in_skeletons() if set(known.names) == set(named)), None)
        target = same_set or own
    if target is None or not named or named == target.names:
        return target, None
    if set(named) == set(target.names):
        return target, tuple(named.index(name) for name in target.names)
    if expected is not None and stated is None:
        raise ValueError(_other_names(chosen[0], expected))
    # the user says what the keypoints are, in the order of the file
    return target, None


def _skeleton_of(category: Category) -> Skeleton | None:
    try:
        return skeleton_of_category(category.entry)
    except ValueError as problem:
        raise ValueError(f"category {category.id} {category.name}: {problem}") from None


def _built_in_skeletons() -> Iterator[Skeleton]:
    """Yield the built-in skeletons, COCO's first, which needs no file."""
    return map(load_skeleton, built_in_names())


def _other_names(category: Category, expected: Skeleton) -> str:
    missing = [name for name in expected.names if name not in category.names]
    foreign = [name for name in category.names if name not in expected.names]
    return (
        f"category {category.id} {category.name} has other keypoints than {expected.name}: "
        f"not {', '.join(missing[:NAMES_SHOWN]) or 'the same number'}; "
        f"but {', '.join(foreign[:NAMES_SHOWN]) or 'fewer'}"
    )


def _listed(categories: Sequence[Category]) -> str:
    shown = [
        f"{category.id} {category.name} ({len(category.names)} keypoints)" for category in categories[:CATEGORIES_SHOWN]
    ]
    more = len(categories) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") or "none: the file lists no categories"


def default_skeleton(count: int | None) -> Skeleton:
    """Return the skeleton of annotations of `count` keypoints that nobody names: COCO's where there are 17, or none.

    Raises ValueError for any other count.
    """
    if count not in (None, len(COCO)):
        raise ValueError(
            f"it does not name the {count} keypoints of its annotations: say which they are with --skeleton NAME or "
            f"FILE.yaml (built in: {', '.join(built_in_names())})"
        )
    return COCO
