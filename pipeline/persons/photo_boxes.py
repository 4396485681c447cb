"""Persons in any photos: each whole photo as one person, or the boxes of a file."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import read_image

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class PhotoBoxes:
    """N persons of photos; those of one photo follow each other."""

    #: (N,)
    photo: tuple[Path, ...]
    #: (N, 4) x, y, width, height in image pixels
    box: NDArray[np.float64]
    #: (N,) of the detector; 1 where the file has none
    score: NDArray[np.float64]
    #: (N,) of the file of boxes, else of the photo's name
    image_id: NDArray[np.int64]
    #: whether a detector made the boxes; then there may be several of one person
    detected: bool = False
    #: whether image pixels are those of the photo turned by its EXIF orientation, not those stored
    upright: bool = False

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.photo)


def find_photos(paths: Iterable[str | Path]) -> list[Path]:
    """Return the photos among files and, in order of their names, in folders; each once.

    Raises ValueError for a folder without photos, FileNotFoundError for a path that does not exist.
    """
    photos: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
            if not inside:
                raise ValueError(f"{path} holds no photo: expected files that end in {', '.join(PHOTO_SUFFIXES)}")
            photos += inside
        elif path.is_file():
            photos.append(path)
        else:
            raise FileNotFoundError(f"there is no photo or folder {path.absolute()}")
    return list(dict.fromkeys(photos))


def find_boxes(
    photos: Sequence[Path], path: Path | None = None, score_threshold: float = 0.0, *, upright: bool | None = None
) -> PhotoBoxes:
    """Return the boxes that the file `path` has for `photos`, or without a file each photo as one person.

    upright: image pixels are those of photos turned by their EXIF orientation; None: turn photos without boxes, as
    people see them, and not those with boxes, because COCO's boxes are in stored pixels.
    """
    if path is None:
        return whole_photo_boxes(photos, upright=upright is not False)
    return boxes_from_file(path, photos, score_threshold, upright=bool(upright))


def whole_photo_boxes(photos: Sequence[Path], *, upright: bool = True) -> PhotoBoxes:
    """Return each photo as one person whose box is the photo, by default the photo as people see it."""
    sizes = [read_image(photo, upright=upright).shape for photo in photos]
    return PhotoBoxes(
        photo=tuple(photos),
        box=np.array([[0, 0, width, height] for height, width, _ in sizes], np.float64).reshape(-1, 4),
        score=np.ones(len(photos)),
        image_id=ids_by_name(photos),
        upright=upright,
    )


def ids_by_name(photos: Sequence[Path]) -> NDArray[np.int64]:
    """Return the numbers that COCO's files are named by; where a photo has another name, number photos from 1."""
    distinct = list(dict.fromkeys(photos))
    if all(photo.stem.isdigit() for photo in distinct):
        ids = {photo: int(photo.stem) for photo in distinct}
    else:
        ids = {photo: number for number, photo in enumerate(distinct, 1)}
    return np.array([ids[photo] for photo in photos], np.int64)


def boxes_from_file(
    path: str | Path, photos: Sequence[Path], score_threshold: float = 0.0, *, upright: bool = False
) -> PhotoBoxes:
    """Return the boxes that a JSON file has for `photos`.

    path: a list of {"file_name" or "image_id", "bbox": [x, y, width, height]}, as detectors write it, or a COCO
    annotation file. A file name may have folders before it; an image id is the number that COCO's files are named by.
    upright: they were found in photos turned by their EXIF orientation; COCO's are in stored pixels.
    Raises ValueError when the file is neither, or has no box for any of the photos.
    """
    rows, detected = _read_rows(path)
    by_photo: dict[str | int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("category_id", 1) != 1 or row.get("score", 1.0) < score_threshold:
            continue
        if row["bbox"][2] > 0 and row["bbox"][3] > 0:
            by_photo[Path(row["file_name"]).name if "file_name" in row else int(row.get("image_id", -2))].append(row)
    persons = [
        (photo, row) for photo in photos for row in by_photo.get(photo.name) or by_photo.get(_number(photo)) or []
    ]
    if not persons:
        raise ValueError(
            f"{path} has no box for {photos[0].name if len(photos) == 1 else f'any of {len(photos)} photos'}: "
            f"its {len(rows)} boxes are for other file names or image ids, or score below {score_threshold:g}"
        )
    photo_of_person = tuple(photo for photo, _ in persons)
    if all("image_id" in row for _, row in persons):
        image_id = np.array([row["image_id"] for _, row in persons], np.int64)
    else:
        image_id = ids_by_name(photo_of_person)
    return PhotoBoxes(
        photo=photo_of_person,
        box=np.array([row["bbox"] for _, row in persons], np.float64),
        score=np.array([row.get("score", 1.0) for _, row in persons], np.float64),
        image_id=image_id,
        detected=detected,
        upright=upright,
    )


def _read_rows(path: str | Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows of a file, each with a bbox, and whether they are a detector's."""
    try:
        document = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a list of boxes or a COCO annotation file") from error
    rows = _annotations(document) if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) and _is_box(row.get("bbox")) for row in rows):
        raise ValueError(
            f'{path} is not a list of boxes: expected [{{"file_name": "a.jpg", "bbox": [x, y, width, height]}}, ...] '
            "or a COCO annotation file"
        )
    return rows, isinstance(document, list)


def _annotations(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the annotations of single persons with their file names; None where it is no COCO annotation file."""
    if not isinstance(document.get("images"), list) or not isinstance(document.get("annotations"), list):
        return None
    names = {image["id"]: image["file_name"] for image in document["images"]}
    return [
        {**annotation, "file_name": names[annotation["image_id"]]}
        for annotation in document["annotations"]
        if annotation["image_id"] in names and not annotation.get("iscrowd", 0)
    ]


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(v, int | float) for v in value)


def _number(photo: Path) -> int:
    """Return the image id that COCO names a file by; -1 where the name is no number."""
    return int(photo.stem) if photo.stem.isdigit() else -1
