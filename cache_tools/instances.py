"""The instance table: one person a row, in the order of the cache's rows, read from COCO keypoint annotations."""

import gc
import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import JOINTS

Person = tuple[dict[str, Any], dict[str, Any]]  # its photo and its annotation, as the file has them
JOINTS_NOTE = f", x, y and visibility of COCO's {JOINTS} keypoints"


@dataclass(frozen=True, kw_only=True)
class Instances:
    """Persons, sorted by (image id, annotation id): a shard then reads each photo once."""

    annotation_id: NDArray[np.int64]  #: (N,)
    image_id: NDArray[np.int64]  #: (N,)
    box: NDArray[np.float64]  #: (N, 4) x, y, width, height in image pixels, clipped to the image
    area: NDArray[np.float64]  #: (N,) of the segment, in square pixels: the scale of OKS
    keypoints: NDArray[np.float64]  #: (N, 17, 2) image pixels; (0, 0) where visibility is 0
    visibility: NDArray[np.uint8]  #: (N, 17) 0 not labelled, 1 hidden, 2 seen
    image_size: NDArray[np.int32]  #: (N, 2) height, width of the photo
    file_name: tuple[str, ...]  #: (N,) of the photo, relative to the image folder

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.annotation_id)

    def take(self, rows: NDArray[np.integer] | slice) -> "Instances":
        """Return the requested rows, in the requested order."""
        index = np.arange(len(self))[rows]
        picked = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "file_name"}
        return Instances(**picked, file_name=tuple(self.file_name[i] for i in index))

    def digest(self) -> str:
        """Return the sha256 of every field: two tables are equal exactly when their digests are."""
        sha = hashlib.sha256()
        for f in fields(self):
            value = getattr(self, f.name)
            sha.update("\0".join(value).encode() if f.name == "file_name" else np.ascontiguousarray(value).tobytes())
        return sha.hexdigest()


def read_annotations(path: str | Path) -> dict[str, Any]:
    """Parse a COCO keypoint annotation file; ValueError naming what is missing where it is not one."""
    collecting = gc.isenabled()
    # it would search millions of small objects for garbage, again and again, and there is none
    gc.disable()
    try:
        data: Any = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a COCO person_keypoints file") from error
    finally:
        if collecting:
            gc.enable()
    lists = ("images", "annotations")
    missing = [name for name in lists if not isinstance(data, dict) or not isinstance(data.get(name), list)]
    if missing:
        raise ValueError(
            f"{path} has no list {' and no list '.join(map(repr, missing))}: expected a COCO person_keypoints file"
        )
    document: dict[str, Any] = data
    return document


def read_coco(path: str | Path, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
    """Read the persons of a COCO keypoint file.

    labelled: keep what COCO's keypoint training keeps: `iscrowd == 0`, `num_keypoints > 0`, and a box that is not empty
    once clipped to the image. False keeps every person with such a box, for students that learn only from a teacher.
    part: (i, n) gives the i-th of n parts, counted from 1; the photos of a part are in no other.
    Raises ValueError when the file holds no such person or is not a keypoint file; it names the annotation.
    """
    return from_document(read_annotations(path), path, labelled=labelled, part=part)


def from_document(
    data: dict[str, Any], path: str | Path, *, labelled: bool = True, part: tuple[int, int] | None = None
) -> Instances:
    """Return the persons of what `read_annotations` read from `path`, as `read_coco` does."""
    images = {image.get("id"): image for image in data["images"] if isinstance(image, dict)}
    persons: list[Person] = []
    for place, annotation in enumerate(data["annotations"]):
        try:
            image = _image_of(annotation, images, labelled)
        except ValueError as problem:
            name = annotation.get("id") if isinstance(annotation, dict) else None
            who = f"annotation {name}" if name is not None else f"entry {place} of 'annotations'"
            raise ValueError(f"{path}, {who}: {problem}") from None
        if image is not None:
            persons.append((image, annotation))
    persons.sort(key=lambda person: (person[0]["id"], person[1]["id"]))
    try:
        table = _table(persons, labelled) if persons else None
    except ValueError as problem:
        raise ValueError(f"{path}, {problem}") from None
    if table is None or not len(table):
        what = "labelled keypoints" if labelled else "a box"
        raise ValueError(
            f"{path} holds no person with {what} inside its image ({len(data['annotations'])} annotations read)"
        )
    return table if part is None else part_of(table, *part, path)


def clip_box(box: ArrayLike, height: ArrayLike, width: ArrayLike) -> NDArray[np.float64]:
    """Return boxes (..., 4) x, y, width, height clipped to their images; width or height is 0 for a box outside."""
    x, y, w, h = np.moveaxis(np.asarray(box, np.float64), -1, 0)
    left, top, right, bottom = np.maximum(x, 0), np.maximum(y, 0), np.minimum(x + w, width), np.minimum(y + h, height)
    return np.stack([left, top, np.maximum(right - left, 0), np.maximum(bottom - top, 0)], axis=-1)


def _image_of(annotation: Any, images: dict[Any, Any], labelled: bool) -> dict[str, Any] | None:
    """Return the entry of the annotation's photo, or None where the annotation is not kept.

    Raises ValueError saying what is wrong with the annotation.
    """
    if not isinstance(annotation, dict):
        raise ValueError(f"it is a {type(annotation).__name__}: expected an object with id, image_id, bbox, keypoints")
    if annotation.get("category_id", 1) != 1 or annotation.get("iscrowd", 0):
        return None
    if labelled and annotation.get("num_keypoints") == 0:
        return None
    if labelled and annotation.get("keypoints") is None:
        raise ValueError(
            "it has no 'keypoints': expected person_keypoints_*.json, not instances_*.json or captions_*.json"
        )
    if "bbox" not in annotation:
        return None
    for name in ("id", "image_id"):
        if not isinstance(annotation.get(name), int):
            raise ValueError(f"its {name} is {annotation.get(name)!r}: expected a whole number")
    image: dict[str, Any] | None = images.get(annotation["image_id"])
    if image is None:
        raise ValueError(f"it names image {annotation['image_id']}, which is not listed")
    for name, kind in (("file_name", str), ("height", int), ("width", int)):
        if not isinstance(image.get(name), kind) or not image[name]:
            found = repr(image[name]) if name in image else "missing"
            raise ValueError(f"its image {image['id']} has no {name} ({found}): expected file_name, height and width")
    return image


def _table(persons: list[Person], labelled: bool) -> Instances:
    """Make the table of persons with a box and, if `labelled`, with labelled keypoints.

    Raises ValueError naming the annotations that are wrong.
    """
    blank = [0] * (3 * JOINTS)
    keypoints = [annotation.get("keypoints") or blank for _, annotation in persons]
    triples = _numbers(persons, keypoints, 3 * JOINTS, "keypoints").reshape(-1, JOINTS, 3)
    visibility = triples[..., 2].astype(np.uint8)
    size = np.array([(image["height"], image["width"]) for image, _ in persons], np.int32)
    box = clip_box(_numbers(persons, [annotation["bbox"] for _, annotation in persons], 4, "bbox"), *size.T)
    area = box[:, 2] * box[:, 3]
    table = Instances(
        annotation_id=np.array([annotation["id"] for _, annotation in persons], np.int64),
        image_id=np.array([image["id"] for image, _ in persons], np.int64),
        box=box,
        area=np.array([a.get("area", of_box) for (_, a), of_box in zip(persons, area, strict=True)], np.float64),
        keypoints=triples[..., :2] * (visibility > 0)[..., None],
        visibility=visibility,
        image_size=size,
        file_name=tuple(image["file_name"] for image, _ in persons),
    )
    kept = area > 0
    if labelled:  # by num_keypoints, or where the file doesn't count them, by what it has
        kept &= np.logical_or(visibility.any(axis=1), [a.get("num_keypoints") is not None for _, a in persons])
    table = table if kept.all() else table.take(np.flatnonzero(kept))
    ids, times = np.unique(table.annotation_id, return_counts=True)
    if (times > 1).any():
        raise ValueError(f"annotation {ids[times > 1][0]}: another annotation has the same id")
    return table


def _numbers(persons: list[Person], values: list[Any], count: int, name: str) -> NDArray[np.float64]:
    """Return field `name` of all persons (N, count); ValueError names the first annotation where it is wrong."""
    numbers = _array(values)
    if numbers.shape == (len(values), count) and np.isfinite(numbers).all():
        return numbers
    each = [_array(given) for given in values]
    for (_, annotation), given, numbers in zip(persons, values, each, strict=True):
        if numbers.shape != (count,) or not np.isfinite(numbers).all():
            found = f"is {given!r}"
            if isinstance(given, list):
                found = f"has {len(given)}" if len(given) != count else "holds what is no number"
            note = JOINTS_NOTE if name == "keypoints" else ""
            raise ValueError(f"annotation {annotation['id']}: its {name} {found}: expected {count} numbers{note}")
    return np.stack(each)


def _array(values: Any) -> NDArray[np.float64]:
    """Return the numbers as an array, an empty one where they are not numbers."""
    try:
        return np.asarray(values, np.float64)
    except (ValueError, TypeError, OverflowError):
        return np.empty(0)


def part_of(table: Instances, index: int, count: int, path: str | Path) -> Instances:
    """Return part `index` of `count` parts of about equal size; the rows of a photo are all in one part."""
    if not 1 <= index <= count:
        raise ValueError(f"part {index}/{count}: expected I/N with I from 1 to N")
    # the row that divides evenly, moved to the first of its photo
    edges = [np.searchsorted(table.image_id, table.image_id[len(table) * k // count]) for k in range(count)]
    start, stop = [*edges, len(table)][index - 1 : index + 1]
    if start == stop:
        photos = len(np.unique(table.image_id))
        raise ValueError(f"part {index}/{count} of {path} holds nobody, there are {photos} photos: use fewer parts")
    return table.take(slice(int(start), int(stop)))
