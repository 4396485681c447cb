"""A COCO keypoint annotation file, parsed once, checked as a whole, and asked for persons."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.categories import (
    Category,
    categories_of,
    chosen_categories,
    default_skeleton,
    skeleton_and_order,
)
from cache_tools.annotations.ids import whole_number
from cache_tools.annotations.persons import AREA_OF_BOX, Persons, check_areas, persons_of, triples_of
from cache_tools.annotations.photos import Photos
from cache_tools.input_file import kind_of, read_input
from cache_tools.instances import Instances, clip_box, part_of
from cache_tools.json_file import parse_json
from cache_tools.skeletons import COCO, Skeleton

EXPECTED = "a COCO keypoint annotation file (person_keypoints_*.json)"
# category of annotations that state none, in files that list none
DEFAULT_CATEGORY = 1


@dataclass(frozen=True, kw_only=True)
class AnnotationFile:
    """What a COCO keypoint file says of the chosen categories. `read_annotation_file` makes one."""

    path: Path
    #: sha256 of the file
    sha256: str
    skeleton: Skeleton
    #: ids of the categories that are read
    categories: tuple[int, ...]
    category_names: tuple[str, ...]
    #: every category that the file lists
    listed: tuple[Category, ...]
    photos: Photos
    #: every annotation of these categories
    persons: Persons
    #: annotations of other categories, by category id
    others: dict[int, int]

    def instances(self, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
        """Return the persons that a store or an evaluation has, sorted by (image id, annotation id).

        labelled: keep what COCO's keypoint training keeps: no crowd, a labelled joint, and a box that is not empty once
        clipped to its photo. False keeps every person with such a box, for training on a teacher's maps only. part: (i,
        n) gives the i-th of n parts, counted from 1; the photos of a part are in no other.
        Raises ValueError where nobody is left, with what was left out and why.
        """
        rows: NDArray[np.intp] = np.flatnonzero(self.kept(labelled))
        if not rows.size:
            if labelled and self.persons.crowd.size and not self.persons.visibility.any():
                raise ValueError(
                    f"{self.path}: no annotation has a labelled keypoint: expected person_keypoints_*.json, not "
                    "instances_*.json or a file of boxes"
                )
            if not self.persons.crowd.size:
                raise ValueError(
                    f"{self.path} lists {len(self.photos)} photos and no person on them: its 'annotations' "
                    + ("are all of other categories" if self.others else "are empty")
                )
            wanted = "labelled keypoints" if labelled else "a box"
            raise ValueError(
                f"{self.path} holds no person with {wanted} inside its photo; left out: {self.left_out_text(labelled)}"
            )
        rows = rows[np.lexsort((self.persons.annotation_id[rows], self.persons.image_id[rows]))]
        table = Instances(
            annotation_id=self.persons.annotation_id[rows],
            image_id=self.persons.image_id[rows],
            box=self.clipped_box[rows],
            area=self.area[rows],
            keypoints=self.persons.keypoints[rows],
            visibility=self.persons.visibility[rows],
            image_size=self._photo_size[rows],
            file_name=tuple(self.photos[number].file_name for number in self.persons.image_id[rows].tolist()),
        )
        return table if part is None else part_of(table, *part, self.path)

    @cached_property
    def clipped_box(self) -> NDArray[np.float64]:
        """Boxes (N, 4) of all persons, cut to their photos; all 0 where there is none."""
        return np.nan_to_num(clip_box(self.persons.box, *self._photo_size.T))

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """Area (N,) of all persons in square pixels, the scale of OKS: as stated, else AREA_OF_BOX of the box's."""
        of_box = self.clipped_box[:, 2] * self.clipped_box[:, 3]
        check_areas(self.persons, self._photo_size, self.path)
        return np.where(np.isnan(self.persons.area), AREA_OF_BOX * of_box, self.persons.area)

    def left_out(self, labelled: bool = True) -> dict[str, int]:
        """Return how many annotations `instances` leaves out, by reason; reasons that leave out none are not there."""
        persons = self.persons
        no_box = np.isnan(persons.box).all(axis=1)
        empty = ~no_box & (self.clipped_box[:, 2:] <= 0).any(axis=1)
        reasons = {"crowd": persons.crowd, "no box": no_box, "empty box, or outside its photo": empty}
        if labelled:
            reasons["no labelled keypoint"] = ~(persons.visibility > 0).any(axis=1)
        counts = {"another category": sum(self.others.values())}
        left = np.ones(persons.crowd.shape, np.bool_)
        for reason, applies in reasons.items():
            counts[reason] = int((applies & left).sum())
            left &= ~applies
        return {reason: count for reason, count in counts.items() if count}

    def left_out_text(self, labelled: bool = True) -> str:
        """Return what `left_out` counts as one phrase: "12 crowd, 3 no box"."""
        counts = self.left_out(labelled)
        return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "nothing"

    def categories_by_annotation(self) -> dict[int, int]:
        """Return the category id of each annotation, by its id."""
        return dict(zip(self.persons.annotation_id.tolist(), self.persons.category_id.tolist(), strict=True))

    def kept(self, labelled: bool = True) -> NDArray[np.bool_]:
        """Return which of all persons (N,) `instances` keeps."""
        kept: NDArray[np.bool_] = ~self.persons.crowd & (self.clipped_box[:, 2:] > 0).all(axis=1)
        if labelled:
            kept &= (self.persons.visibility > 0).any(axis=1)
        return kept

    @cached_property
    def _photo_size(self) -> NDArray[np.int32]:
        """Height and width (N, 2) of each person's photo."""
        found = []
        for number, annotation in zip(self.persons.image_id.tolist(), self.persons.annotation_id.tolist(), strict=True):
            try:
                photo = self.photos[number]
            except ValueError as problem:
                raise ValueError(f"{self.path}, annotation {annotation}: {problem}") from None
            found.append((photo.height, photo.width))
        return np.array(found, np.int32).reshape(-1, 2)


def read_coco(path: str | Path, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
    """Return the persons of a COCO keypoint file whose skeleton and categories are what the file itself says.

    labelled, part: as `AnnotationFile.instances` has them. Raises ValueError as `read_annotation_file` does.
    """
    return read_annotation_file(path).instances(labelled=labelled, part=part)


def read_annotation_file(
    path: str | Path,
    *,
    skeleton: Skeleton | None = None,
    category: Sequence[str] = (),
    category_ids: Sequence[int] = (),
    expected: Skeleton | None = None,
) -> AnnotationFile:
    """Read and check a COCO keypoint file: every annotation of its chosen categories, before anything is done with it.

    skeleton: what its keypoints are, where the user states it. category: names or ids of the categories to read; none:
    all that name the same keypoints. category_ids: those that a store was made from, where its file is read again.
    expected: the skeleton of the store or the student that the file is for: the same names in another order are
    permuted, other names are refused.
    Raises ValueError with the file, the entry, what was found and what was expected; OSError where it cannot be read.
    """
    content = read_input(path, EXPECTED)
    document = parse_json(content, path, EXPECTED)
    try:
        return _annotation_file(
            Path(path), document, hashlib.sha256(content).hexdigest(), skeleton=skeleton, expected=expected,
            category=category or [str(number) for number in category_ids if _lists(document, number)],
        )  # fmt: skip
    except ValueError as problem:
        text = str(problem)
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _annotation_file(
    path: Path,
    document: Any,
    sha256: str,
    *,
    skeleton: Skeleton | None,
    category: Sequence[str],
    expected: Skeleton | None,
) -> AnnotationFile:
    annotations = _annotations_of(document)
    photos = Photos(document["images"])
    categories = categories_of(document)
    chosen = chosen_categories(categories, category)
    fields = (skeleton or expected or COCO).fields
    ids = tuple(one.id for one in chosen) or _categories_with_keypoints(annotations, fields)
    named, order = skeleton_and_order(chosen, skeleton, expected)
    category_of = [_category_id(annotation, ids[0]) for annotation in annotations]
    read = [annotation for annotation, number in zip(annotations, category_of, strict=True) if number in ids]
    others = dict(Counter(number for number in category_of if number not in ids))
    if annotations and not read:
        found = ", ".join(str(number) for number in sorted(others)[:10])
        raise ValueError(
            f"its annotations have the category_id {found}, none has {', '.join(map(str, ids[:10]))}, the id of the "
            "category to read"
        )
    triples = [triples_of(annotation, (named.fields if named else fields)) for annotation in read]
    count = _most_common_count(triples)
    agreed = named or default_skeleton(count)
    _check_count(agreed, count, chosen, skeleton)
    return AnnotationFile(
        path=path,
        sha256=sha256,
        skeleton=agreed,
        categories=tuple(sorted(ids)),
        category_names=tuple(one.name for one in sorted(chosen, key=lambda one: one.id)),
        listed=tuple(categories),
        photos=photos,
        persons=persons_of(read, photos, agreed, order, ids[0], triples),
        others=others,
    )


def _annotations_of(document: Any) -> list[dict[str, Any]]:
    """Return the list of annotations; ValueError where the document is no COCO file."""
    missing = [
        key
        for key in ("images", "annotations")
        if not isinstance(document, dict) or not isinstance(document.get(key), list)
    ]
    if missing:
        found = "it is a list, as boxes and results are" if isinstance(document, list) else f"it is {kind_of(document)}"
        if isinstance(document, dict):
            found = f"it has no list {' and no list '.join(map(repr, missing))}"
        raise ValueError(f"{found}: expected {EXPECTED}")
    annotations: list[dict[str, Any]] = document["annotations"]
    for place, annotation in enumerate(annotations):
        if not isinstance(annotation, dict):
            raise ValueError(
                f"entry {place} of 'annotations' is {annotation!r:.60}: expected an object with id, image_id, bbox, "
                "keypoints"
            )
    return annotations


def _lists(document: Any, number: int) -> bool:
    """Return whether a document lists a category of that id."""
    categories = document.get("categories") if isinstance(document, dict) else None
    return isinstance(categories, list) and any(isinstance(c, dict) and c.get("id") == number for c in categories)


def _category_id(annotation: dict[str, Any], default: int) -> int:
    value = annotation.get("category_id", default)
    try:
        return whole_number(value)
    except ValueError as problem:
        raise ValueError(f"annotation {annotation.get('id')!r:.40}: its category_id is {problem}") from None


def _categories_with_keypoints(annotations: list[dict[str, Any]], fields: tuple[str, ...]) -> tuple[int, ...]:
    """Return the categories to read where the file's own list names no keypoints: those whose annotations have some.

    Where none has any, as in a file of boxes, it is the only one there is; ValueError where there are several.
    """
    found = Counter(
        _category_id(annotation, DEFAULT_CATEGORY) for annotation in annotations if triples_of(annotation, fields)
    )
    if found:
        return tuple(sorted(found))
    there = sorted({_category_id(annotation, DEFAULT_CATEGORY) for annotation in annotations})
    if len(there) > 1:
        raise ValueError(
            f"no annotation has keypoints, and they are of categories {', '.join(map(str, there[:20]))}: expected "
            "person_keypoints_*.json, not instances_*.json; for boxes only, choose one with --category ID"
        )
    return tuple(there) or (DEFAULT_CATEGORY,)


def _most_common_count(triples: list[list[Any]]) -> int | None:
    """Return how many keypoints most annotations hold; None where none holds any."""
    counts = Counter(len(row) for row in triples)
    counts.pop(0, None)
    return counts.most_common(1)[0][0] // 3 if counts else None


def _check_count(skeleton: Skeleton, count: int | None, chosen: list[Category], stated: Skeleton | None) -> None:
    if count is None or count == len(skeleton):
        return
    source = f"skeleton {skeleton.name} has" if stated or not chosen else f"its category {chosen[0].name} names"
    raise ValueError(
        f"{source} {len(skeleton)} keypoints, its annotations hold {count}: say which they are with --skeleton NAME or "
        "FILE.yaml"
    )
