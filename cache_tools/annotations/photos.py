"""The photos that a COCO file lists: id, path relative to the image folder, size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from cache_tools.annotations.ids import whole_number

LARGEST_SIDE = 2**31 - 1
# bytes of a name and characters of a path that file systems take
LONGEST_NAME, LONGEST_PATH = 255, 4000
# characters before it control a terminal
FIRST_PRINTED = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """One entry of the list `images`."""

    id: int
    #: path relative to the image folder, with forward slashes
    file_name: str
    height: int
    width: int


class Photos:
    """The list `images` of a COCO file. Ids are checked at once; path and size when a photo is asked for.

    Files list many photos without a person, some without a size, and nobody needs those.
    """

    def __init__(self, entries: Sequence[Any]) -> None:
        """Index the list; ValueError where an entry has no id, or where two have the same."""
        self._entries: dict[int, dict[str, Any]] = {}
        self._checked: dict[int, Photo] = {}
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise ValueError(f"entry {place} of 'images' is {entry!r:.60}: expected an object")
            number = entry.get("id")
            if type(number) is not int:
                try:
                    number = whole_number(number)
                except ValueError as problem:
                    raise ValueError(f"entry {place} of 'images': its id is {problem}") from None
            elif not -(2**63) <= number < 2**63:
                raise ValueError(f"entry {place} of 'images': its id is {number}: expected at most 64 bits")
            other = self._entries.setdefault(number, entry)
            if other is not entry:
                raise ValueError(
                    f"two photos have the id {number}: {other.get('file_name')!r} and {entry.get('file_name')!r}. "
                    "Were two files joined? Number the photos of one of them, and its annotations' image_id, again"
                )

    def __len__(self) -> int:
        """Return the number of photos listed."""
        return len(self._entries)

    def __contains__(self, number: int) -> bool:
        """Return whether a photo of that id is listed."""
        return number in self._entries

    def ids(self) -> list[int]:
        """Return the ids of all photos listed, in the order of the file."""
        return list(self._entries)

    def repeated_names(self) -> list[str]:
        """Return the file names that more than one photo has, in the order of the file."""
        names = Counter(name for entry in self._entries.values() if isinstance(name := entry.get("file_name"), str))
        return [name for name, count in names.items() if count > 1]

    def __getitem__(self, number: int) -> Photo:
        """Return the photo of an id; ValueError where none is listed, or where it lacks a path or a size."""
        photo = self._checked.get(number)
        if photo is None:
            entry = self._entries.get(number)
            if entry is None:
                raise ValueError(f"its image_id is {number}, which is not the id of any of 'images'")
            photo = self._checked[number] = _photo(number, entry)
        return photo


def _photo(number: int, entry: dict[str, Any]) -> Photo:
    name = entry.get("file_name")
    if not _is_path(name):
        raise ValueError(
            f"its image {number} has the file_name {name!r:.80}: expected a path relative to the image folder"
        )
    # tools on Windows write video1\0001.jpg
    return Photo(
        id=number,
        file_name=name.replace("\\", "/"),
        height=_side(number, entry, "height"),
        width=_side(number, entry, "width"),
    )


def _is_path(name: Any) -> TypeGuard[str]:
    """Return whether a value can be the path of a file: text that is not too long and has no control characters."""
    if not isinstance(name, str) or not name.strip() or any(ord(character) < FIRST_PRINTED for character in name):
        return False
    try:
        parts = name.replace("\\", "/").encode().split(b"/")
    except UnicodeEncodeError:
        # half of a surrogate pair
        return False
    return max(map(len, parts)) <= LONGEST_NAME and len(name) <= LONGEST_PATH


def _side(number: int, entry: dict[str, Any], name: str) -> int:
    found = (
        f"its image {number} has the {name} {entry[name]!r:.60}"
        if name in entry
        else f"its image {number} has no {name}"
    )
    try:
        side = whole_number(entry.get(name))
    except ValueError:
        side = 0
    if not 0 < side <= LARGEST_SIDE:
        found = f"the {name} {entry[name]!r:.60}" if name in entry else f"no {name}"
        raise ValueError(f"its image {number} has {found}: expected the number of pixels")
    return side
