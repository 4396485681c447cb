"""Annotations of the chosen categories -> columns of numbers, each checked; what is left out is counted by reason.

Columns are checked by numpy in one pass, because COCO has 262,465 annotations. Only where a check fails are the entries
looked at one by one, to name the one that is wrong.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.ids import whole_number, whole_numbers
from cache_tools.annotations.photos import LARGEST_SIDE, Photos
from cache_tools.skeletons import Skeleton, built_in_names, load_skeleton

# of the box's area, where a file states none: xtcocotools, MMPose and Ultralytics take the same
AREA_OF_BOX = 0.53
# types of a JSON value that is a number; True is an int to isinstance
NUMBERS = {int, float}


@dataclass(frozen=True, kw_only=True)
class Persons:
    """Every annotation of the chosen categories, in the order of the file, crowds and those without labels too."""

    annotation_id: NDArray[np.int64]  # (N,)
    image_id: NDArray[np.int64]  # (N,)
    category_id: NDArray[np.int64]  # (N,)
    crowd: NDArray[np.bool_]  # (N,)
    #: x, y, width, height as stated; NaN where the annotation has no box
    box: NDArray[np.float64]  # (N, 4)
    #: NaN where the file states none above 0
    area: NDArray[np.float64]  # (N,)
    keypoints: NDArray[np.float64]  # (N, K, 2) image pixels; (0, 0) where visibility is 0
    visibility: NDArray[np.uint8]  # (N, K) 0 not labelled, 1 hidden, 2 seen
    #: remarks on what was not as the file states it
    remarks: tuple[str, ...]


def persons_of(
    annotations: Sequence[dict[str, Any]],
    photos: Photos,
    skeleton: Skeleton,
    order: tuple[int, ...] | None,
    default_category: int,
    triples: Sequence[list[Any]],
) -> Persons:
    """Return the columns of these annotations; ValueError names the annotation and the field that is wrong.

    order: place in the file of each joint of the skeleton; None: the same. default_category: of annotations that state
    none. triples: what `triples_of` gives for each annotation.
    """
    annotation_id = _ids(annotations, "id")
    ids, times = np.unique(annotation_id, return_counts=True)
    if (times > 1).any():
        raise ValueError(f"{times.max()} annotations have the id {ids[times > 1][0]}: expected different ids")
    image_id = _ids(annotations, "image_id")
    for number, annotation in zip(image_id.tolist(), annotations, strict=True):
        if number not in photos:
            raise ValueError(f"{_who(annotation)}: its image_id is {number}, which is not the id of any of 'images'")
    stated = [annotation.get("category_id", default_category) for annotation in annotations]
    keypoints, visibility = _keypoints(annotations, triples, skeleton)
    if order is not None:
        keypoints, visibility = keypoints[:, order], visibility[:, order]
    area = _areas(annotations)
    return Persons(
        annotation_id=annotation_id,
        image_id=image_id,
        category_id=np.array([whole_number(number) for number in stated], np.int64).reshape(len(annotations)),
        crowd=_crowds(annotations),
        box=_boxes(annotations),
        area=area,
        keypoints=keypoints,
        visibility=visibility,
        remarks=(*_remarks(annotations, visibility, area, skeleton.fields), *_photo_remarks(photos)),
    )


def triples_of(annotation: dict[str, Any], fields: Sequence[str]) -> list[Any]:
    """Return x, y, visibility of each keypoint one after the other, from the fields that hold them.

    Nested triples ([[x, y, v], ...], RHD's) are flattened. A field that is missing, null or empty adds nothing.
    """
    if len(fields) == 1:
        return _flat(annotation, fields[0])
    return [number for field in fields for number in _flat(annotation, field)]


def _flat(annotation: dict[str, Any], field: str) -> list[Any]:
    stated = annotation.get(field) or []
    if not isinstance(stated, list):
        raise ValueError(f"{_who(annotation)}: its {field} are {stated!r:.60}: expected a list of numbers")
    if stated and isinstance(stated[0], list) and all(isinstance(triple, list) for triple in stated):
        return [number for triple in stated for number in triple]
    return stated


def _who(annotation: dict[str, Any]) -> str:
    return f"annotation {annotation.get('id')!r:.40}"


def _ids(annotations: Sequence[dict[str, Any]], field: str) -> NDArray[np.int64]:
    stated = [annotation.get(field) for annotation in annotations]
    numbers = whole_numbers(stated)
    if numbers is not None:
        return numbers
    for place, (annotation, value) in enumerate(zip(annotations, stated, strict=True)):
        try:
            whole_number(value)
        except ValueError as problem:
            where = f" (entry {place} of those read)" if field == "id" else ""
            raise ValueError(f"{_who(annotation)}{where}: its {field} is {problem}") from None
    raise ValueError(f"the {field} of some annotation is no whole number of at most 64 bits")


def _crowds(annotations: Sequence[dict[str, Any]]) -> NDArray[np.bool_]:
    stated = [annotation.get("iscrowd", 0) for annotation in annotations]
    for annotation, value in zip(annotations, stated, strict=True):
        if value not in (0, 1, None):
            raise ValueError(f"{_who(annotation)}: its iscrowd is {value!r:.40}: expected 0 or 1")
    return np.array([bool(value) for value in stated], np.bool_).reshape(len(annotations))


def _boxes(annotations: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """Return the boxes (N, 4); NaN where an annotation states none."""
    none = [float("nan")] * 4
    stated = [annotation.get("bbox") for annotation in annotations]
    there = np.array([value is not None and value != [] for value in stated], np.bool_)
    rows = [value if given else none for value, given in zip(stated, there, strict=True)]
    boxes = _matrix(annotations, rows, 4, lambda row: f"its bbox is {row!r:.80}: expected x, y, width, height")
    wrong = there & (~(np.abs(boxes) <= LARGEST_SIDE).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{_who(annotations[place])}: its bbox is {stated[place]!r:.80}: expected x, y, width, height, "
            "finite and the sizes not negative"
        )
    return boxes


def _areas(annotations: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """Return the areas (N,); NaN where an annotation states none above 0, or null."""
    stated = [annotation.get("area") for annotation in annotations]
    for annotation, value in zip(annotations, stated, strict=True):
        if value is not None and not _is_number(value):
            raise ValueError(f"{_who(annotation)}: its area is {value!r:.40}: expected square pixels, or no area")
    # numpy reads null as NaN
    areas = np.array(stated, np.float64).reshape(len(annotations))
    if np.isinf(areas).any() or (areas < 0).any():
        place = int(np.flatnonzero(np.isinf(areas) | (areas < 0))[0])
        raise ValueError(f"{_who(annotations[place])}: its area is {areas[place]}: expected square pixels, or no area")
    return np.where(areas > 0, areas, np.nan)


def check_areas(persons: Persons, photo_size: NDArray[np.int32], path: str | Path) -> None:
    """Raise ValueError for an area larger than photo and box: by such a one, any pose would be right.

    photo_size: height and width (N, 2) of each person's photo. path: of the file, for the message.
    """
    height, width = photo_size.T.astype(np.float64)
    # a row and a column more, for outlines that run along the edge; no comparison with NaN is true
    largest = np.fmax(height * width, persons.box[:, 2] * persons.box[:, 3]) + height + width
    wrong = np.flatnonzero(persons.area > largest)
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"{path}, annotation {persons.annotation_id[row]}: its area is {persons.area[row]:g} and its photo has "
            f"{height[row]:g}x{width[row]:g} pixels: expected square pixels of the person, or no area"
        )


def _keypoints(
    annotations: Sequence[dict[str, Any]], triples: Sequence[list[Any]], skeleton: Skeleton
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return keypoints (N, K, 2) and visibility (N, K); all of it 0 where an annotation has no keypoints."""
    count = 3 * len(skeleton)
    blank = [0] * count
    rows = [row or blank for row in triples]

    def problem(row: Any) -> str:
        found = f"has {len(row)} numbers in {', '.join(skeleton.fields)}"
        if len(row) == count:
            wrong = next(value for value in row if not _is_number(value))
            found = f"holds {wrong!r:.40} in {', '.join(skeleton.fields)}"
        return f"it {found}: expected {count} numbers, x, y and visibility of {len(skeleton)} keypoints"

    numbers = _matrix(annotations, rows, count, problem).reshape(-1, len(skeleton), 3)
    visibility = numbers[..., 2]
    wrong = ~np.isin(visibility, (0, 1, 2))
    # coordinates count only where somebody labelled the joint
    wrong |= ~(np.abs(numbers[..., :2]) <= LARGEST_SIDE).all(axis=-1) & (visibility > 0)
    if wrong.any():
        row, joint = (int(place[0]) for place in np.nonzero(wrong))
        found = numbers[row, joint].tolist()
        raise ValueError(
            f"{_who(annotations[row])}: its keypoint {skeleton.names[joint]} is {found}: expected x, y in pixels and "
            "visibility 0 (not labelled), 1 (hidden) or 2 (seen)"
        )
    labelled = (visibility > 0)[..., None]
    return np.where(labelled, numbers[..., :2], 0.0), visibility.astype(np.uint8)


def _matrix(
    annotations: Sequence[dict[str, Any]], rows: list[Any], count: int, problem: Callable[[Any], str]
) -> NDArray[np.float64]:
    """Return rows of numbers (N, count); ValueError names the first annotation whose row is something else."""
    # the types first: numpy reads text and booleans as numbers too
    if {*map(type, rows)} <= {list} and {*map(len, rows)} <= {count} and _number_types(rows) <= NUMBERS:
        with contextlib.suppress(OverflowError):
            # twice as fast as np.array of lists
            return np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * count).reshape(-1, count)
    for annotation, row in zip(annotations, rows, strict=True):
        if not isinstance(row, list) or len(row) != count or not all(_is_number(value) for value in row):
            raise ValueError(f"{_who(annotation)}: {problem(row)}")
    return np.array(rows, np.float64).reshape(-1, count)


def _is_number(value: Any) -> bool:
    """Return whether a JSON value is a number that a float64 can hold."""
    if type(value) not in NUMBERS:
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _number_types(rows: Sequence[list[Any]]) -> set[type]:
    return {*map(type, chain.from_iterable(rows))}


def _photo_remarks(photos: Photos) -> list[str]:
    repeated = photos.repeated_names()
    if not repeated:
        return []
    return [
        f"{len(repeated)} file names are those of several photos, {repeated[0]} first: each is taken for an image of "
        "its own, of one file. Were two files joined? Then name photos with their folders"
    ]


def _remarks(
    annotations: Sequence[dict[str, Any]],
    visibility: NDArray[np.uint8],
    area: NDArray[np.float64],
    fields: Sequence[str],
) -> tuple[str, ...]:
    remarks = []
    # COCO-WholeBody's: its category names 17 keypoints, its annotations hold 133
    others = [name for name in dict.fromkeys(chain.from_iterable(annotations)) if name.endswith("_kpts")]
    if unread := [name for name in others if name not in fields]:
        remarks.append(f"annotations also have {', '.join(unread)}, which are not read{_reading(unread)}")
    labelled = (visibility > 0).sum(axis=1)
    stated = [annotation.get("num_keypoints") for annotation in annotations]
    other = sum(
        number is not None and number != counted for number, counted in zip(stated, labelled.tolist(), strict=True)
    )
    if other:
        remarks.append(
            f"{other} annotations state another num_keypoints than the keypoints that they label: counted again"
        )
    assumed = int((np.isnan(area) & (labelled > 0)).sum())
    if assumed:
        remarks.append(f"{assumed} labelled annotations state no area: {AREA_OF_BOX} of their box's is taken")
    return tuple(remarks)


def _reading(fields: Sequence[str]) -> str:
    """Return which built-in skeleton reads these fields, as the end of a remark."""
    known = [name for name in built_in_names() if set(fields) <= set(load_skeleton(name).fields)]
    return f": --skeleton {known[0]} reads them" if known else ""
