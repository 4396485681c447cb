"""Boxes that an evaluation looks for poses in: those of the annotated persons, or those of a detector."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from pipeline.persons.coco_labels import CocoLabels
from pipeline.result_file import ResultPart


class BoxProtocol(ResultPart):
    """What a reader of an AP has to know about the boxes; all but two keys are of a detector's boxes only."""

    #: "gt", or the name of the detector's file
    source: str
    #: sha256 of the detector's file
    digest: str | None = None
    score_threshold: float | None = None
    category: int | None = None
    #: number of boxes
    boxes: int
    #: number of boxes left out because their images are not in the annotation file
    boxes_in_other_images: int | None = None


@dataclass(frozen=True, kw_only=True)
class PersonBoxes:
    """N boxes to look for poses in; those of one image follow each other."""

    #: (N,)
    image_id: NDArray[np.int64]
    #: (N, 4) x, y, width, height in image pixels
    box: NDArray[np.float64]
    #: (N,) of the detector; 1 for an annotated person
    score: NDArray[np.float64]
    #: (N,) of the photo, relative to the image folder
    file_name: tuple[str, ...]
    #: (N, 2) height, width of the photo
    image_size: NDArray[np.int32]
    protocol: BoxProtocol

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.image_id)

    @property
    def annotated(self) -> bool:
        """Return whether the boxes are those of the annotated persons, row by row."""
        return self.protocol.source == "gt"

    def take(self, keep: NDArray[np.bool_]) -> "PersonBoxes":
        """Return the boxes where `keep` (N,) is true."""
        return replace(
            self,
            image_id=self.image_id[keep],
            box=self.box[keep],
            score=self.score[keep],
            file_name=tuple(name for name, kept in zip(self.file_name, keep, strict=True) if kept),
            image_size=self.image_size[keep],
            protocol=self.protocol.model_copy(update={"boxes": int(keep.sum())}),
        )


def annotated(persons: Instances) -> PersonBoxes:
    """Return the boxes of the annotated persons, row by row: what papers call ground-truth boxes."""
    return PersonBoxes(
        image_id=persons.image_id,
        box=persons.box,
        score=np.ones(len(persons)),
        file_name=persons.file_name,
        image_size=persons.image_size,
        protocol=BoxProtocol(source="gt", boxes=len(persons)),
    )


def detected(
    path: str | Path, annotations: CocoLabels, *, score_threshold: float = 0.0, category: int = 1
) -> PersonBoxes:
    """Return the boxes of a detector's COCO results file, such as COCO_val2017_detections_AP_H_56_person.json.

    Kept: boxes of `category`, of at least `score_threshold`, not empty, in images of the annotation file.
    Raises ValueError when the file is not such a list, or when no box is left.
    """
    content = Path(path).read_bytes()
    try:
        detections = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a detector's COCO results") from error
    keys = {"image_id", "category_id", "bbox", "score"}
    if not isinstance(detections, list) or not all(isinstance(d, dict) and keys <= d.keys() for d in detections):
        raise ValueError(
            f"{path} is not a list of detections: expected [{{image_id, category_id, bbox, score}}, ...], "
            "as COCO_val2017_detections_AP_H_56_person.json"
        )
    persons = [d for d in detections if d["category_id"] == category and d["bbox"][2] > 0 and d["bbox"][3] > 0]
    confident = [d for d in persons if d["score"] >= score_threshold]
    kept = sorted((d for d in confident if d["image_id"] in annotations.photos), key=lambda d: d["image_id"])
    if not kept:
        raise ValueError(
            f"{path} leaves no box to evaluate: {len(detections)} detections, {len(persons)} of category {category} "
            f"and not empty, {len(confident)} of them with score >= {score_threshold}, none of those in an image of "
            f"{annotations.path}"
        )
    photos = [annotations.photos[d["image_id"]] for d in kept]
    return PersonBoxes(
        image_id=np.array([d["image_id"] for d in kept], np.int64),
        box=np.array([d["bbox"] for d in kept], np.float64),
        score=np.array([d["score"] for d in kept], np.float64),
        file_name=tuple(photo.file_name for photo in photos),
        image_size=np.array([(photo.height, photo.width) for photo in photos], np.int32),
        protocol=BoxProtocol(
            source=Path(path).name,
            digest=hashlib.sha256(content).hexdigest(),
            score_threshold=score_threshold,
            category=category,
            boxes=len(kept),
            boxes_in_other_images=len(confident) - len(kept),
        ),
    )
