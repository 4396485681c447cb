"""A file of boxes, read strictly: a detector's list, or a COCO annotation file.

    [{"image_id": 785, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}, ...]
    [{"file_name": "video1/0001.jpg", "bbox": [x, y, width, height], "height": 720, "width": 1280}, ...]

Every command that takes boxes reads them here. An entry that is not understood is refused with its place in the file,
before anything is computed.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from cache_tools.annotations.annotation_file import read_annotation_file
from cache_tools.annotations.ids import whole_number
from cache_tools.annotations.photos import LARGEST_SIDE
from cache_tools.input_file import kind_of, read_input
from cache_tools.json_file import parse_json
from cache_tools.skeletons import Skeleton

EXPECTED = (
    'a list of boxes, [{"image_id" or "file_name", "category_id", "bbox": [x, y, width, height], "score"}, ...], '
    "or a COCO annotation file"
)
# categories named in a message
CATEGORIES_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxEntry:
    """One box of a file."""

    #: how messages name it: "entry 3", "annotation 77"
    label: str
    #: x, y, width, height in image pixels, all finite and the sizes not negative
    box: tuple[float, float, float, float]
    #: None: the file states none
    score: float | None
    #: None: the file states none
    category_id: int | None
    #: None: the file states none, or one that is no number, which is then the `name`
    image_id: int | None
    #: path of the photo with forward slashes, or an image id that is text; None: the file states only a number
    name: str | None
    #: (height, width) of the photo as the file states it
    size: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class BoxesFile:
    """The boxes of one file. `read_boxes_file` makes one."""

    path: Path
    #: sha256 of the file
    sha256: str
    entries: tuple[BoxEntry, ...]
    #: whether it is a detector's list, which may have several boxes of one person, not an annotation file
    detected: bool
    #: ids of the categories that are read
    categories: tuple[int, ...]
    #: how many boxes of the file are not among the entries, by reason
    left_out: dict[str, int]

    def chosen(self, score_threshold: float) -> tuple[list[BoxEntry], dict[str, int]]:
        """Return the boxes of `categories` that are not empty and not below the score, and how many are not, by reason.

        A box without a category counts as one of the first category, a box without a score has none to be below.
        """
        reasons: Counter[str] = Counter(self.left_out)
        kept = []
        for entry in self.entries:
            if entry.category_id is not None and entry.category_id not in self.categories:
                reasons["another category"] += 1
            elif min(entry.box[2:]) <= 0:
                reasons["empty box"] += 1
            elif entry.score is not None and entry.score < score_threshold:
                reasons[f"score below {score_threshold:g}"] += 1
            else:
                kept.append(entry)
        return kept, dict(reasons)

    def category_of(self, entry: BoxEntry) -> int:
        """Return the category of an entry, or the only one that is read; ValueError where there are several."""
        if entry.category_id is not None:
            return entry.category_id
        if len(self.categories) > 1:
            raise ValueError(
                f"{self.path}, {entry.label}: it has no category_id: expected one of "
                f"{', '.join(map(str, self.categories[:CATEGORIES_SHOWN]))}"
            )
        return self.categories[0]

    def nothing_left(self, left_out: dict[str, int], where: str) -> ValueError:
        """Return the error for a file of which no box is left for the photos of `where`."""
        counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        message = f"{self.path} has no box for {where}; left out: {counts}"
        if left_out.get("another category"):
            there = sorted({entry.category_id for entry in self.entries if entry.category_id is not None})
            shown = ", ".join(map(str, there[:CATEGORIES_SHOWN]))
            message += f". Its boxes are of category {shown}, read were {', '.join(map(str, self.categories))}"
        return ValueError(message)


def read_boxes_file(
    path: str | Path,
    *,
    category: Sequence[str] = (),
    default_categories: Sequence[int] = (1,),
    skeleton: Skeleton | None = None,
) -> BoxesFile:
    """Read and check a file of boxes.

    category: names or ids of the categories to read; a detector's list has ids only. None: those whose keypoints an
    annotation file names, `default_categories` of a list. skeleton: of an annotation file that does not name its own.
    Raises ValueError with the file, the entry, the field, what was found and what was expected; OSError where the file
    cannot be read.
    """
    content = read_input(path, EXPECTED)
    document = parse_json(content, path, EXPECTED)
    if isinstance(document, dict):
        return _of_annotations(Path(path), category, skeleton)
    if not isinstance(document, list):
        raise ValueError(f"{path} holds {kind_of(document)}: expected {EXPECTED}")
    try:
        categories = tuple(whole_number(one) for one in category) or tuple(default_categories)
    except ValueError as problem:
        raise ValueError(f"--category {problem}: a detector's list has no names of categories, only ids") from None
    entries = []
    for place, entry in enumerate(document):
        try:
            entries.append(_entry(f"entry {place}", entry))
        except ValueError as problem:
            raise ValueError(f"{path}, entry {place}: {problem}") from None
    return BoxesFile(
        path=Path(path),
        sha256=hashlib.sha256(content).hexdigest(),
        entries=tuple(entries),
        detected=True,
        categories=categories,
        left_out={},
    )


def _of_annotations(path: Path, category: Sequence[str], skeleton: Skeleton | None) -> BoxesFile:
    """Return the boxes of single persons of a COCO annotation file, cut to their photos."""
    annotations = read_annotation_file(path, category=category, skeleton=skeleton)
    persons = annotations.instances(labelled=False)
    category_of = annotations.categories_by_annotation()
    entries = [
        BoxEntry(
            label=f"annotation {number}",
            box=(x, y, width, height),
            score=None,
            category_id=category_of[number],
            image_id=image,
            name=name,
            size=(size[0], size[1]),
        )
        for number, image, (x, y, width, height), name, size in zip(
            persons.annotation_id.tolist(),
            persons.image_id.tolist(),
            persons.box.tolist(),
            persons.file_name,
            persons.image_size.tolist(),
            strict=True,
        )
    ]
    return BoxesFile(
        path=path,
        sha256=annotations.sha256,
        entries=tuple(entries),
        detected=False,
        categories=annotations.categories,
        left_out=annotations.left_out(labelled=False),
    )


def _entry(label: str, entry: Any) -> BoxEntry:
    """Return a checked entry of a detector's list; ValueError says which field is wrong."""
    if not isinstance(entry, dict):
        raise ValueError(f"it is {entry!r:.60}: expected an object with image_id or file_name, bbox, score")
    image_id, name = _photo(entry)
    return BoxEntry(
        label=label,
        box=_box(entry),
        score=_score(entry.get("score")),
        category_id=None if entry.get("category_id") is None else _whole(entry, "category_id"),
        image_id=image_id,
        name=name,
        size=_size(entry),
    )


def _photo(entry: dict[str, Any]) -> tuple[int | None, str | None]:
    """Return the number and the name by which an entry names its photo."""
    name = entry.get("file_name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise ValueError(f"its file_name is {name!r:.60}: expected the path of a photo")
    stated = entry.get("image_id")
    if stated is None and name is None:
        raise ValueError("it has no image_id and no file_name: expected one of them")
    number = None
    if stated is not None:
        try:
            number = whole_number(stated)
        except ValueError as problem:
            # some data sets name photos by text: Open Images' 000a1249af2bc5f0
            if not isinstance(stated, str) or not stated.strip():
                raise ValueError(f"its image_id is {problem}, or the name of a photo") from None
            name = name or stated
    return number, None if name is None else name.replace("\\", "/")


def _box(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    stated = entry.get("bbox")
    expected = "expected x, y, width, height in pixels, finite and the sizes not negative"
    if stated is None and "keypoints" in entry:
        raise ValueError(f"it has keypoints and no bbox, as the results of poses have: {expected}")
    if not isinstance(stated, list) or len(stated) != 4 or not all(_is_number(value) for value in stated):
        raise ValueError(f"its bbox is {stated!r:.80}: {expected}")
    x, y, width, height = stated
    # no photo has larger sides, and arithmetic with larger numbers would overflow
    if min(width, height) < 0 or not all(abs(value) <= LARGEST_SIDE for value in stated):
        raise ValueError(f"its bbox is {stated!r:.80}: {expected}")
    return float(x), float(y), float(width), float(height)


def _score(stated: Any) -> float | None:
    if stated is None:
        return None
    if not _is_number(stated) or not isfinite(stated):
        raise ValueError(f"its score is {stated!r:.40}: expected a finite number")
    return float(stated)


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    """Return the stated (height, width) of the photo."""
    if entry.get("height") is None and entry.get("width") is None:
        return None
    sides = _whole(entry, "height"), _whole(entry, "width")
    if not all(0 < side <= LARGEST_SIDE for side in sides):
        raise ValueError(f"its photo has height and width {sides}: expected numbers of pixels")
    return sides


def _whole(entry: dict[str, Any], field: str) -> int:
    try:
        return whole_number(entry.get(field))
    except ValueError as problem:
        raise ValueError(f"its {field} is {problem}") from None


def _is_number(value: Any) -> bool:
    # True is an int to isinstance; a whole number beyond float64 would overflow
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)
