"""Persons in any photos: each whole photo as one person, or the boxes of a file."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import read_image
from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from cache_tools.skeletons import Skeleton
from pipeline.persons.boxes_file import BoxEntry, BoxesFile, read_boxes_file
from pipeline.persons.photo_check import warn_of_turned
from pipeline.persons.photo_names import PhotoNames, relative_names

logger = logging.getLogger(__name__)

# an image id must fit 64 bits; names with more digits are no numbers
MOST_DIGITS = 18


@dataclass(frozen=True, kw_only=True)
class PhotoBoxes:
    """N persons of photos; those of one photo follow each other."""

    #: (N,)
    photo: tuple[Path, ...]
    #: (N,) path of the photo relative to the folder of photos
    name: tuple[str, ...]
    #: (N, 4) x, y, width, height in image pixels
    box: NDArray[np.float64]
    #: (N,) of the detector; 1 where the file has none
    score: NDArray[np.float64]
    #: (N,) different photos have different ones: of the file of boxes, else of the photo's name, else counted
    image_id: NDArray[np.int64]
    #: (N,) of the box
    category_id: NDArray[np.int64]
    #: (N,) height and width of the photo; None where a file of boxes does not state them
    photo_size: tuple[tuple[int, int] | None, ...]
    #: whether a detector made the boxes; then there may be several of one person
    detected: bool = False
    #: how the photos are read whose pixels the boxes are in
    photo_options: PhotoOptions = AS_STORED

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.photo)


def find_boxes(
    photos: Sequence[Path],
    path: Path | None = None,
    score_threshold: float = 0.0,
    *,
    folder: Path | None = None,
    photo_options: PhotoOptions = NOT_STATED,
    category: Sequence[str] = (),
    default_categories: Sequence[int] = (1,),
    skeleton: Skeleton | None = None,
) -> PhotoBoxes:
    """Return the boxes that the file `path` has for `photos`, or without a file each photo as one person.

    folder: that photos are named relative to; None: the deepest that holds all of them.
    photo_options: where it does not state whether photos are turned by their EXIF orientation, those without boxes are,
    as people see them, and those with boxes are not, because COCO's boxes are in stored pixels.
    category, default_categories, skeleton: as `read_boxes_file` has them; a whole photo is of the first default.
    """
    if path is None:
        options = photo_options.stated(default=True)
        return whole_photo_boxes(photos, options, category=default_categories[0], folder=folder)
    file = read_boxes_file(path, category=category, default_categories=default_categories, skeleton=skeleton)
    persons = boxes_of_photos(file, photos, score_threshold, photo_options.stated(), folder=folder)
    if photo_options.exif is None:
        warn_of_turned(persons.photo, persons.photo_size)
    return persons


def whole_photo_boxes(
    photos: Sequence[Path], photo_options: PhotoOptions = UPRIGHT, *, category: int = 1, folder: Path | None = None
) -> PhotoBoxes:
    """Return each photo as one person whose box is the photo, by default the photo as people see it.

    folder: as `find_boxes` has it.
    """
    sizes = [read_image(photo, options=photo_options).shape[:2] for photo in photos]
    return PhotoBoxes(
        photo=tuple(photos),
        name=relative_names(photos, folder),
        box=np.array([[0, 0, width, height] for height, width in sizes], np.float64).reshape(-1, 4),
        score=np.ones(len(photos)),
        image_id=np.array(ids_by_name(photos), np.int64),
        category_id=np.full(len(photos), category, np.int64),
        photo_size=tuple(sizes),
        photo_options=photo_options,
    )


def ids_by_name(photos: Sequence[Path]) -> list[int]:
    """Return the number that COCO names each photo by; where one has no number or two the same, count from 1."""
    numbers = [_number(photo) for photo in photos]
    if None in numbers or len(set(numbers)) < len(numbers):
        return list(range(1, len(photos) + 1))
    return [number for number in numbers if number is not None]


def boxes_of_photos(
    file: BoxesFile,
    photos: Sequence[Path],
    score_threshold: float = 0.0,
    photo_options: PhotoOptions = AS_STORED,
    *,
    folder: Path | None = None,
) -> PhotoBoxes:
    """Return the boxes that a file has for `photos`.

    A box belongs to the photo that its file name means (`PhotoNames`), or else to the one whose name is its image id as
    a number, as COCO's files are named. photo_options: how the photos are read whose pixels the boxes are in.
    folder: as `find_boxes` has it.
    Raises ValueError where it is not certain which photo a box belongs to, and where none is left for the photos.
    """
    entries, left_out = file.chosen(score_threshold)
    by_photo: dict[int, list[BoxEntry]] = defaultdict(list)
    elsewhere = 0
    names = relative_names(photos, folder)
    for entry, place in zip(entries, _photos_of(file, entries, photos, names), strict=True):
        if place is None:
            elsewhere += 1
        else:
            by_photo[place].append(entry)
    left_out |= {"in other photos": elsewhere} if elsewhere else {}
    if not by_photo:
        raise file.nothing_left(left_out, photos[0].name if len(photos) == 1 else f"any of {len(photos)} photos")
    if left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        logger.info("%s: left out %s", file.path, counts)
    persons = [(place, entry) for place in sorted(by_photo) for entry in by_photo[place]]
    ids = _image_ids(file, by_photo, photos)
    return PhotoBoxes(
        photo=tuple(photos[place] for place, _ in persons),
        name=tuple(names[place] for place, _ in persons),
        box=np.array([entry.box for _, entry in persons], np.float64),
        score=np.array([1.0 if entry.score is None else entry.score for _, entry in persons], np.float64),
        image_id=np.array([ids[place] for place, _ in persons], np.int64),
        category_id=np.array([file.category_of(entry) for _, entry in persons], np.int64),
        photo_size=tuple(entry.size for _, entry in persons),
        detected=file.detected,
        photo_options=photo_options,
    )


def _photos_of(
    file: BoxesFile, entries: Sequence[BoxEntry], photos: Sequence[Path], names: Sequence[str]
) -> list[int | None]:
    """Return the number of the photo of each entry, None where it is another photo."""
    try:
        by_name = PhotoNames(names, [photo.absolute().as_posix() for photo in photos]).find(
            [entry.name for entry in entries]
        )
    except ValueError as problem:
        raise ValueError(f"{file.path}: {problem}") from None
    numbered: dict[int, list[int]] = defaultdict(list)
    for place, photo in enumerate(photos):
        number = _number(photo)
        if number is not None:
            numbered[number].append(place)
    found: list[int | None] = []
    for entry, place_by_name in zip(entries, by_name, strict=True):
        if entry.name is not None or entry.image_id is None:
            found.append(place_by_name)
            continue
        places = numbered.get(entry.image_id, [])
        if len(places) > 1:
            raise ValueError(
                f"{file.path}, {entry.label}: its image_id {entry.image_id} may be {photos[places[0]]} or "
                f"{photos[places[1]]}: state the photo's path as file_name"
            )
        found.append(places[0] if places else None)
    return found


def _image_ids(file: BoxesFile, by_photo: dict[int, list[BoxEntry]], photos: Sequence[Path]) -> dict[int, int]:
    """Return an id for each photo with boxes: that of the file where it has one for each photo, else `ids_by_name`."""
    stated = {place: {entry.image_id for entry in entries} for place, entries in by_photo.items()}
    ids = {place: next(iter(numbers)) for place, numbers in stated.items() if len(numbers) == 1}
    unique = {place: number for place, number in ids.items() if number is not None}
    if len(set(unique.values())) == len(by_photo):
        return unique
    if any(numbers != {None} for numbers in stated.values()):
        logger.warning("%s: its image ids do not tell the photos apart: poses have other ids", file.path)
    places = sorted(by_photo)
    return dict(zip(places, ids_by_name([photos[place] for place in places]), strict=True))


def _number(photo: Path) -> int | None:
    """Return the image id that COCO names a file by; None where the name is no number."""
    return int(photo.stem) if photo.stem.isdecimal() and len(photo.stem) <= MOST_DIGITS else None
