"""COCO keypoint annotations -> instance table: one person, one row, one row of the cache, always in the same order."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import JOINTS

Row = tuple[dict[str, Any], dict[str, Any], NDArray[np.float64], NDArray[np.float64]]
JOINTS_NOTE = f", x, y and visibility of COCO's {JOINTS} keypoints"


@dataclass(frozen=True)
class Instances:
    """Persons, sorted by (image id, annotation id), so that a shard reads each photo once."""

    annotation_id: NDArray[np.int64]  # (N,)
    image_id: NDArray[np.int64]  # (N,)
    box: NDArray[np.float64]  # (N, 4) x, y, width, height in image pixels, clipped to the image
    area: NDArray[np.float64]  # (N,) of the segment, in square pixels: the scale of OKS
    keypoints: NDArray[np.float64]  # (N, 17, 2) image pixels; (0, 0) where visibility is 0
    visibility: NDArray[np.uint8]  # (N, 17) 0 not labelled, 1 hidden, 2 seen
    image_size: NDArray[np.int32]  # (N, 2) height, width of the photo
    file_name: tuple[str, ...]  # (N,) of the photo, relative to the image folder

    def __len__(self) -> int:
        return len(self.annotation_id)

    def take(self, rows: NDArray[np.integer] | slice) -> "Instances":
        """The rows asked for, in the order asked for."""
        index = np.arange(len(self))[rows]
        picked = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "file_name"}
        return Instances(**picked, file_name=tuple(self.file_name[i] for i in index))

    @property
    def digest(self) -> str:
        """sha256 over every field: two tables are the same exactly when their digests are."""
        sha = hashlib.sha256()
        for f in fields(self):
            value = getattr(self, f.name)
            sha.update("\0".join(value).encode() if f.name == "file_name" else np.ascontiguousarray(value).tobytes())
        return sha.hexdigest()


def read_annotations(path: str | Path) -> dict[str, Any]:
    """A COCO keypoint annotation file as a dict; ValueError says what is missing where it is not one."""
    try:
        data = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a COCO person_keypoints file") from error
    missing = [k for k in ("images", "annotations") if not isinstance(data, dict) or not isinstance(data.get(k), list)]
    if missing:
        raise ValueError(
            f"{path} has no list {' and no list '.join(map(repr, missing))}: expected a COCO person_keypoints file"
        )
    return data


def from_coco(path: str | Path, *, labelled: bool = True, part: tuple[int, int] | None = None) -> Instances:
    """The persons of a COCO keypoint file.

    labelled: keep what COCO's keypoint training keeps: `iscrowd == 0`, `num_keypoints > 0`, and a box that is not empty
    once clipped to the image. False keeps every person with such a box, for training on a teacher's word alone.
    part: (i, n) gives the i-th of n parts, counted from 1; the photos of a part are in no other.
    Raises ValueError when the file holds no such person or is not a keypoint file; it names the annotation.
    """
    data = read_annotations(path)
    images = {image.get("id"): image for image in data["images"] if isinstance(image, dict)}
    kept, ids = [], set()
    for place, annotation in enumerate(data["annotations"]):
        try:
            row = _row(annotation, images, labelled)
            if row is not None and annotation["id"] in ids:
                raise ValueError("another annotation has the same id")
        except ValueError as problem:
            name = annotation.get("id") if isinstance(annotation, dict) else None
            who = f"annotation {name}" if name is not None else f"entry {place} of 'annotations'"
            raise ValueError(f"{path}, {who}: {problem}") from None
        if row is not None:
            ids.add(annotation["id"])
            kept.append(row)
    if not kept:
        what = "labelled keypoints" if labelled else "a box"
        raise ValueError(
            f"{path} holds no person with {what} inside its image ({len(data['annotations'])} annotations read)"
        )
    kept.sort(key=lambda row: (row[0]["id"], row[1]["id"]))
    table = _table(kept)
    return table if part is None else _part(table, *part, path)


def clip_box(box: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """Box (x, y, width, height) cut to the image; width or height is 0 where nothing of it is inside."""
    x, y, w, h = np.asarray(box, np.float64)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    return np.array([left, top, max(right - left, 0), max(bottom - top, 0)])


def _row(annotation: Any, images: dict[Any, Any], labelled: bool) -> Row | None:
    """Photo, annotation, clipped box, keypoints (17, 3); None for what is no such person; ValueError: what is wrong."""
    if not isinstance(annotation, dict):
        raise ValueError(f"it is a {type(annotation).__name__}: expected an object with id, image_id, bbox, keypoints")
    if annotation.get("category_id", 1) != 1 or annotation.get("iscrowd", 0):
        return None
    count = annotation.get("num_keypoints")
    if labelled and count == 0:
        return None
    if labelled and annotation.get("keypoints") is None:
        raise ValueError(
            "it has no 'keypoints': expected person_keypoints_*.json, not instances_*.json or captions_*.json"
        )
    if "bbox" not in annotation:
        return None
    keypoints = _numbers(annotation.get("keypoints") or [0] * (3 * JOINTS), 3 * JOINTS, "keypoints").reshape(JOINTS, 3)
    if labelled and count is None and not keypoints[:, 2].any():
        return None
    for name in ("id", "image_id"):
        if not isinstance(annotation.get(name), int):
            raise ValueError(f"its {name} is {annotation.get(name)!r}: expected a whole number")
    image = images.get(annotation["image_id"])
    if image is None:
        raise ValueError(f"it names image {annotation['image_id']}, which is not listed")
    for name, kind in (("file_name", str), ("height", int), ("width", int)):
        if not isinstance(image.get(name), kind) or not image[name]:
            found = repr(image[name]) if name in image else "missing"
            raise ValueError(f"its image {image['id']} has no {name} ({found}): expected file_name, height and width")
    box = clip_box(_numbers(annotation["bbox"], 4, "bbox"), image["height"], image["width"])
    return (image, annotation, box, keypoints) if box[2] > 0 and box[3] > 0 else None


def _numbers(values: Any, count: int, name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, np.float64)
    except (ValueError, TypeError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        found = f"has {len(values)}" if isinstance(values, list) else f"is {values!r}"
        raise ValueError(f"its {name} {found}: expected {count} numbers{JOINTS_NOTE if name == 'keypoints' else ''}")
    return numbers


def _table(kept: list[Row]) -> Instances:
    triples = np.stack([keypoints for *_, keypoints in kept])
    visibility = triples[..., 2].astype(np.uint8)
    return Instances(
        annotation_id=np.array([a["id"] for _, a, _, _ in kept], np.int64),
        image_id=np.array([i["id"] for i, _, _, _ in kept], np.int64),
        box=np.array([b for _, _, b, _ in kept]),
        area=np.array([a.get("area", b[2] * b[3]) for _, a, b, _ in kept], np.float64),
        keypoints=triples[..., :2] * (visibility > 0)[..., None],
        visibility=visibility,
        image_size=np.array([(i["height"], i["width"]) for i, _, _, _ in kept], np.int32),
        file_name=tuple(i["file_name"] for i, _, _, _ in kept),
    )


def _part(table: Instances, index: int, count: int, path: str | Path) -> Instances:
    """Rows of about a `count`-th of the table, from an image's first to an image's last."""
    if not 1 <= index <= count:
        raise ValueError(f"part {index}/{count}: expected I/N with I from 1 to N")
    # the row that divides evenly, moved to the first of its photo
    edges = [np.searchsorted(table.image_id, table.image_id[len(table) * k // count]) for k in range(count)]
    start, stop = [*edges, len(table)][index - 1 : index + 1]
    if start == stop:
        photos = len(np.unique(table.image_id))
        raise ValueError(f"part {index}/{count} of {path} holds nobody, there are {photos} photos: use fewer parts")
    return table.take(slice(int(start), int(stop)))
