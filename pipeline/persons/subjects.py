"""The persons that figures show: chosen from an annotation file, or the boxes of any photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.photos.options import AS_STORED, PhotoOptions
from pipeline.persons.photo_boxes import PhotoBoxes

#: part of the joints that are labelled of a person that is worth a picture: 12 of COCO's
ENOUGH_JOINTS = 0.7
#: height in pixels of a person that is worth a picture
ENOUGH_PIXELS = 64


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """N persons of photos with or without annotations; those of one photo follow each other."""

    #: (N,)
    photo: tuple[Path, ...]
    #: (N, 4) x, y, width, height in image pixels
    box: NDArray[np.float64]
    #: (N,) the same persons with their keypoints
    truth: Instances | None = None
    #: (N,) height and width of the photo as annotations or boxes state it; None: they state none
    photo_size: tuple[tuple[int, int] | None, ...] | None = None
    #: how the photos are read whose pixels the boxes are in
    photo_options: PhotoOptions = AS_STORED

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.photo)

    @property
    def titles(self) -> list[str]:
        """Return each person's annotation id, or the photo's name."""
        if self.truth is None:
            return [photo.stem for photo in self.photo]
        return [str(number) for number in self.truth.annotation_id]


def from_annotations(
    persons: Instances,
    image_root: Path,
    count: int | None = None,
    ids: Sequence[int] = (),
    *,
    photo_options: PhotoOptions = AS_STORED,
) -> Subjects:
    """Return the persons of the annotations `ids`, or `count` persons that show enough, drawn evenly, or all.

    photo_options: how their photos are read.
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
    sizes = tuple((int(height), int(width)) for height, width in truth.image_size)
    return Subjects(
        photo=tuple(image_root / name for name in truth.file_name),
        box=truth.box,
        truth=truth,
        photo_size=sizes,
        photo_options=photo_options,
    )


def choose(persons: Instances, count: int) -> NDArray[np.intp]:
    """Return rows of `count` persons, drawn evenly from those with enough joints and pixels.

    Where there are fewer than `count` of them, those with the most labelled joints.
    """
    labelled = (persons.visibility > 0).sum(1)
    enough = ENOUGH_JOINTS * persons.visibility.shape[1]
    good = np.flatnonzero((labelled >= enough) & (persons.box[:, 3] >= ENOUGH_PIXELS))
    if len(good) < count:
        return np.sort(np.argsort(-labelled, kind="stable")[:count])
    return np.asarray(good[_evenly(len(good), count)])


def from_photos(persons: PhotoBoxes, count: int | None = None) -> Subjects:
    """Return the persons of any photos, or `count` drawn evenly from them."""
    rows = np.arange(len(persons))
    if count is not None and count < len(persons):
        rows = _evenly(len(persons), count)
    return Subjects(
        photo=tuple(persons.photo[row] for row in rows),
        box=persons.box[rows],
        photo_size=tuple(persons.photo_size[row] for row in rows),
        photo_options=persons.photo_options,
    )


def whole_groups(
    persons: Instances, image_root: Path, photos: int, *, photo_options: PhotoOptions = AS_STORED
) -> Subjects:
    """Return all labelled persons of about `photos` photos, drawn as `choose` draws."""
    images = persons.image_id[choose(persons, photos)]
    shown = persons.take(np.flatnonzero(np.isin(persons.image_id, images)))
    return from_annotations(shown, image_root, photo_options=photo_options)


def _evenly(total: int, count: int) -> NDArray[np.intp]:
    """Return `count` of the numbers below `total`, from the first to the last in even steps."""
    return np.linspace(0, total - 1, count).round().astype(np.intp)
