"""Boxes that an evaluation looks for poses in: those of the annotated persons, or those of a detector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from pipeline.persons.boxes_file import BoxEntry, BoxesFile, read_boxes_file
from pipeline.persons.coco_labels import CocoLabels
from pipeline.persons.photo_names import PhotoNames
from pipeline.result_file import ResultPart


class BoxProtocol(ResultPart):
    """What a reader of an AP has to know about the boxes; all but two keys are of a file of boxes only."""

    #: "gt", or the name of the file of boxes
    source: str
    #: sha256 of that file
    digest: str | None = None
    score_threshold: float | None = None
    #: category of the boxes; None where there are several
    category: int | None = None
    #: number of boxes
    boxes: int
    #: number of boxes left out because their images are not in the annotation file
    boxes_in_other_images: int | None = None
    #: number of boxes left out for other reasons, by reason
    left_out: dict[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class PersonBoxes:
    """N boxes to look for poses in; those of one image follow each other."""

    #: (N,)
    image_id: NDArray[np.int64]
    #: (N, 4) x, y, width, height in image pixels
    box: NDArray[np.float64]
    #: (N,) of the detector; 1 for an annotated person
    score: NDArray[np.float64]
    #: (N,) of the annotation, or of the detector's box
    category_id: NDArray[np.int64]
    #: (N,) of the photo, relative to the image folder
    file_name: tuple[str, ...]
    #: (N, 2) height, width of the photo
    image_size: NDArray[np.int32]
    protocol: BoxProtocol
    #: whether a detector made the boxes; then there may be several of one person
    detected: bool = False

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
            category_id=self.category_id[keep],
            file_name=tuple(name for name, kept in zip(self.file_name, keep, strict=True) if kept),
            image_size=self.image_size[keep],
            protocol=self.protocol.model_copy(update={"boxes": int(keep.sum())}),
        )


def annotated(persons: Instances, category_of: Mapping[int, int]) -> PersonBoxes:
    """Return the boxes of the annotated persons, row by row: what papers call ground-truth boxes.

    category_of: annotation id -> category id (`CocoLabels.category_of`).
    """
    return PersonBoxes(
        image_id=persons.image_id,
        box=persons.box,
        score=np.ones(len(persons)),
        category_id=np.array([category_of[number] for number in persons.annotation_id.tolist()], np.int64),
        file_name=persons.file_name,
        image_size=persons.image_size,
        protocol=BoxProtocol(source="gt", boxes=len(persons)),
    )


def detected(path: str | Path, annotations: CocoLabels, *, score_threshold: float = 0.0) -> PersonBoxes:
    """Return the boxes of a file, such as a detector's COCO_val2017_detections_AP_H_56_person.json.

    Kept: boxes of the categories of the labels, of at least `score_threshold`, not empty, in images of the annotation
    file, which are found by image id or by file name.
    Raises ValueError where the file is no file of boxes (`read_boxes_file`), where a box contradicts the annotation
    file, and where no box is left.
    """
    counted = annotations.file.categories
    file = read_boxes_file(path, default_categories=counted)
    foreign = sorted(set(file.categories) - set(counted))
    if foreign:
        raise ValueError(
            f"{path} has boxes of category {', '.join(map(str, foreign))}, {annotations.path} labels of category "
            f"{', '.join(map(str, counted))}: expected the same categories"
        )
    entries, left_out = file.chosen(score_threshold)
    image_of = _images_of(file, entries, annotations)
    pairs = [(image, entry) for image, entry in zip(image_of, entries, strict=True) if image is not None]
    elsewhere = len(entries) - len(pairs)
    if not pairs:
        raise file.nothing_left(left_out | {"in other images": elsewhere}, f"the images of {annotations.path}")
    pairs.sort(key=lambda pair: pair[0])
    photos = [annotations.photos[image] for image, _ in pairs]
    categories = file.categories
    return PersonBoxes(
        image_id=np.array([image for image, _ in pairs], np.int64),
        box=np.array([entry.box for _, entry in pairs], np.float64),
        score=np.array([_score(file, entry) for _, entry in pairs], np.float64),
        category_id=np.array([file.category_of(entry) for _, entry in pairs], np.int64),
        file_name=tuple(photo.file_name for photo in photos),
        image_size=np.array([(photo.height, photo.width) for photo in photos], np.int32),
        protocol=BoxProtocol(
            source=Path(path).name,
            digest=file.sha256,
            score_threshold=score_threshold,
            category=categories[0] if len(categories) == 1 else None,
            boxes=len(pairs),
            boxes_in_other_images=elsewhere,
            **({"left_out": left_out} if left_out else {}),
        ),
        detected=file.detected,
    )


def _images_of(file: BoxesFile, entries: Sequence[BoxEntry], annotations: CocoLabels) -> list[int | None]:
    """Return the image id of each entry in the annotation file, None where its photo is not listed there."""
    ids = annotations.photos.ids()
    named = any(entry.name is not None for entry in entries)
    # names of photos are looked at only where they are needed: a file may list photos without one
    names = PhotoNames([annotations.photos[number].file_name for number in ids] if named else [])
    try:
        places = names.find([entry.name for entry in entries])
    except ValueError as problem:
        raise ValueError(f"{file.path}: {problem}") from None
    found: list[int | None] = []
    for entry, place in zip(entries, places, strict=True):
        by_id = entry.image_id if entry.image_id is not None and entry.image_id in annotations.photos else None
        by_name = None if place is None else ids[place]
        image = by_id if by_name is None else by_name
        if by_id is not None and entry.name is not None and by_id != by_name:
            raise ValueError(
                f"{file.path}, {entry.label}: its image_id {by_id} is {annotations.photos[by_id].file_name} in "
                f"{annotations.path}, its file_name is {entry.name}: expected the same photo"
            )
        if image is not None and entry.size is not None:
            photo = annotations.photos[image]
            if entry.size != (photo.height, photo.width):
                raise ValueError(
                    f"{file.path}, {entry.label}: its photo is {entry.size[0]}x{entry.size[1]} pixels, "
                    f"{annotations.path} says {photo.height}x{photo.width}"
                )
        found.append(image)
    return found


def _score(file: BoxesFile, entry: BoxEntry) -> float:
    """Return the score of a box; ValueError where a detector's has none, because AP sorts by it."""
    if entry.score is None and file.detected:
        raise ValueError(f"{file.path}, {entry.label}: it has no score, which AP needs: expected a finite number")
    return 1.0 if entry.score is None else entry.score
