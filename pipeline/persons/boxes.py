"""Whose pose is asked for: the annotated persons, or the boxes of a detector."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances, read_annotations


@dataclass(frozen=True)
class Boxes:
    """Boxes to look at, those of one image one after the other."""

    source: str  # "gt", or the name of the detector's file
    image_id: NDArray[np.int64]  # (N,)
    box: NDArray[np.float64]  # (N, 4) x, y, width, height in image pixels
    score: NDArray[np.float64]  # (N,) of the detector; 1 for an annotated person
    file_name: tuple[str, ...]  # (N,) of the photo, relative to the image folder
    image_size: NDArray[np.int32]  # (N, 2) height, width
    protocol: dict[str, Any]  # what a reader of the numbers has to know of them

    def __len__(self) -> int:
        return len(self.image_id)

    def take(self, keep: NDArray[np.bool_]) -> "Boxes":
        """The boxes where `keep` (N,) is true."""
        return Boxes(
            self.source,
            self.image_id[keep],
            self.box[keep],
            self.score[keep],
            tuple(name for name, kept in zip(self.file_name, keep, strict=True) if kept),
            self.image_size[keep],
            {**self.protocol, "boxes": int(keep.sum())},
        )


def annotated(instances: Instances) -> Boxes:
    """The boxes of the annotated persons, row by row: what papers call ground-truth boxes."""
    return Boxes(
        "gt",
        instances.image_id,
        instances.box,
        np.ones(len(instances)),
        instances.file_name,
        instances.image_size,
        {"source": "gt", "boxes": len(instances)},
    )


def detected(path: str | Path, annotations: str | Path, *, score_threshold: float = 0.0, category: int = 1) -> Boxes:
    """The boxes of a detector's COCO results file, such as COCO_val2017_detections_AP_H_56_person.json.

    Kept: boxes of `category`, of at least `score_threshold`, not empty, in images of the annotation file.
    Raises ValueError when the file is not such a list, or when no box is left.
    """
    images = {image["id"]: image for image in read_annotations(annotations)["images"]}
    content = Path(path).read_bytes()
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a detector's COCO results") from error
    keys = {"image_id", "category_id", "bbox", "score"}
    if not isinstance(found, list) or not all(isinstance(d, dict) and keys <= d.keys() for d in found):
        raise ValueError(
            f"{path} is not a list of detections: expected [{{image_id, category_id, bbox, score}}, ...], "
            "as COCO_val2017_detections_AP_H_56_person.json"
        )
    persons = [d for d in found if d["category_id"] == category and d["bbox"][2] > 0 and d["bbox"][3] > 0]
    sure = [d for d in persons if d["score"] >= score_threshold]
    kept = sorted((d for d in sure if d["image_id"] in images), key=lambda d: d["image_id"])
    if not kept:
        raise ValueError(
            f"{path} leaves no box to evaluate: {len(found)} detections, {len(persons)} of category {category} and not "
            f"empty, {len(sure)} of them with score >= {score_threshold}, none of those in an image of {annotations}"
        )
    named = [images[d["image_id"]] for d in kept]
    return Boxes(
        Path(path).name,
        np.array([d["image_id"] for d in kept], np.int64),
        np.array([d["bbox"] for d in kept], np.float64),
        np.array([d["score"] for d in kept], np.float64),
        tuple(image["file_name"] for image in named),
        np.array([(image["height"], image["width"]) for image in named], np.int32),
        {
            "source": Path(path).name,
            "digest": hashlib.sha256(content).hexdigest(),
            "score_threshold": score_threshold,
            "category": category,
            "boxes": len(kept),
            "boxes_in_other_images": len(sure) - len(kept),
        },
    )
