"""COCO keypoint annotations -> instance table: one person, one row, one row of the cache, always in the same order."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS


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


def from_coco(path: str | Path, *, labelled: bool = True) -> Instances:
    """The persons of a COCO keypoint file.

    labelled: keep what COCO's keypoint training keeps: `iscrowd == 0`, `num_keypoints > 0`, and a box that is not empty
    once clipped to the image. False keeps every person with such a box, for training on a teacher's word alone.
    Raises ValueError when the file holds no such person or is not a keypoint file.
    """
    data = read_annotations(path)
    images = {image["id"]: image for image in data["images"]}
    kept = []
    for annotation in data["annotations"]:
        if labelled and "keypoints" not in annotation:
            raise ValueError(
                f"annotation {annotation.get('id')} in {path} has no 'keypoints': "
                "expected person_keypoints_*.json, not instances_*.json or captions_*.json"
            )
        if annotation.get("category_id", 1) != 1 or annotation.get("iscrowd", 0) or "bbox" not in annotation:
            continue
        if labelled and not annotation.get("num_keypoints", _labelled_joints(annotation)):
            continue
        image = images.get(annotation["image_id"])
        if image is None:
            raise ValueError(
                f"annotation {annotation['id']} in {path} names image {annotation['image_id']}, which is not listed"
            )
        box = clip_box(annotation["bbox"], image["height"], image["width"])
        if box[2] > 0 and box[3] > 0:
            kept.append((image, annotation, box))
    if not kept:
        what = "labelled keypoints" if labelled else "a box"
        raise ValueError(
            f"{path} holds no person with {what} inside its image ({len(data['annotations'])} annotations read)"
        )
    kept.sort(key=lambda row: (row[0]["id"], row[1]["id"]))
    return _table(kept, path)


def clip_box(box: Sequence[float], height: int, width: int) -> NDArray[np.float64]:
    """Box (x, y, width, height) cut to the image; width or height is 0 where nothing of it is inside."""
    x, y, w, h = np.asarray(box, np.float64)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    return np.array([left, top, max(right - left, 0), max(bottom - top, 0)])


def _labelled_joints(annotation: dict[str, Any]) -> int:
    return sum(v > 0 for v in annotation["keypoints"][2::3])


def _table(kept: list[tuple[dict[str, Any], dict[str, Any], NDArray[np.float64]]], path: str | Path) -> Instances:
    triples = np.zeros((len(kept), JOINTS, 3))
    for row, (_, annotation, _) in enumerate(kept):
        values = annotation.get("keypoints") or [0] * (3 * JOINTS)
        if len(values) != 3 * JOINTS:
            raise ValueError(
                f"annotation {annotation['id']} in {path} has {len(values) // 3} keypoints: expected COCO's {JOINTS}"
            )
        triples[row] = np.reshape(values, (JOINTS, 3))
    visibility = triples[..., 2].astype(np.uint8)
    return Instances(
        annotation_id=np.array([a["id"] for _, a, _ in kept], np.int64),
        image_id=np.array([i["id"] for i, _, _ in kept], np.int64),
        box=np.array([b for _, _, b in kept]),
        area=np.array([a.get("area", b[2] * b[3]) for _, a, b in kept], np.float64),
        keypoints=triples[..., :2] * (visibility > 0)[..., None],
        visibility=visibility,
        image_size=np.array([(i["height"], i["width"]) for i, _, _ in kept], np.int32),
        file_name=tuple(i["file_name"] for i, _, _ in kept),
    )
