"""The persons that pictures show: chosen from an annotation file, or the boxes of any photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances

if TYPE_CHECKING:
    from pipeline.persons.photo_boxes import PhotoBoxes

ENOUGH_JOINTS, ENOUGH_PIXELS = 12, 64  # labelled joints and height of a person worth a picture


@dataclass(frozen=True)
class Subjects:
    """Persons of photos, those of one photo one after the other, with or without annotations."""

    photo: tuple[Path, ...]  # (N,)
    box: NDArray[np.float64]  # (N, 4) x, y, width, height in image pixels
    truth: Instances | None = None  # (N,) the same persons
    upright: bool = False  # image pixels are those of photos turned by their EXIF orientation

    def __len__(self) -> int:
        return len(self.photo)

    @property
    def titles(self) -> list[str]:
        """The annotation's id, or the photo's name."""
        if self.truth is None:
            return [photo.stem for photo in self.photo]
        return [str(number) for number in self.truth.annotation_id]


def from_annotations(
    persons: Instances, image_root: Path, count: int | None = None, ids: Sequence[int] = ()
) -> Subjects:
    """`count` persons drawn evenly from those that show enough, those of the annotations `ids`, or all.

    Raises ValueError for an id that no labelled person has.
    """
    rows = np.arange(len(persons))
    if ids:
        if unknown := sorted(set(ids) - set(persons.annotation_id.tolist())):
            raise ValueError(f"no labelled person has the annotation id {', '.join(map(str, unknown))}")
        rows = np.flatnonzero(np.isin(persons.annotation_id, ids))
    elif count is not None:
        rows = choose(persons, count)
    truth = persons.take(rows)
    return Subjects(tuple(image_root / name for name in truth.file_name), truth.box, truth)


def choose(persons: Instances, count: int) -> NDArray[np.intp]:
    """Rows of `count` persons, drawn evenly from those with many labelled joints and some size, else the best."""
    labelled = (persons.visibility > 0).sum(1)
    good = np.flatnonzero((labelled >= ENOUGH_JOINTS) & (persons.box[:, 3] >= ENOUGH_PIXELS))
    if len(good) < count:
        return np.sort(np.argsort(-labelled, kind="stable")[:count])
    return good[np.linspace(0, len(good) - 1, count).round().astype(int)]


def from_photos(asked: "PhotoBoxes", count: int | None = None) -> Subjects:
    """The persons of any photos, or `count` drawn evenly from them."""
    rows = np.arange(len(asked))
    if count is not None and count < len(asked):
        rows = np.linspace(0, len(asked) - 1, count).round().astype(int)
    return Subjects(tuple(asked.photo[row] for row in rows), asked.box[rows], upright=asked.upright)


def whole_groups(persons: Instances, image_root: Path, photos: int) -> Subjects:
    """All labelled persons of about `photos` photos, drawn as `choose` draws."""
    images = persons.image_id[choose(persons, photos)]
    return from_annotations(persons.take(np.flatnonzero(np.isin(persons.image_id, images))), image_root)
