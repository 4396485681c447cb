"""Persons in any photos: the whole photo as one person, or the boxes of a file."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import read_image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class PhotoBoxes:
    """One row a person; persons of one photo follow each other."""

    photo: tuple[Path, ...]  # (N,)
    box: NDArray[np.float64]  # (N, 4) x, y, width, height in image pixels
    score: NDArray[np.float64]  # (N,) of the detector; 1 where nobody gave one
    image_id: NDArray[np.int64]  # (N,) of the file of boxes, else of the photo's name
    detected: bool = False  # by a detector, so that there may be several boxes of one person
    upright: bool = False  # image pixels are those of the photo turned by its EXIF orientation, not those stored

    def __len__(self) -> int:
        return len(self.photo)


def find_photos(paths: Iterable[str | Path]) -> list[Path]:
    """The photos among files and, in order of their names, in folders; each once."""
    photos: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise ValueError(f"{path} holds no photo: expected files that end in {', '.join(SUFFIXES)}")
            photos += inside
        elif path.is_file():
            photos.append(path)
        else:
            raise FileNotFoundError(f"there is no photo or folder {path.absolute()}")
    return list(dict.fromkeys(photos))


def whole_photos(photos: Sequence[Path], *, upright: bool = True) -> PhotoBoxes:
    """Each photo as one person whose box is the photo, by default the photo as people see it."""
    sizes = [read_image(photo, upright=upright).shape for photo in photos]
    boxes = np.array([[0, 0, s[1], s[0]] for s in sizes], np.float64).reshape(-1, 4)
    return PhotoBoxes(tuple(photos), boxes, np.ones(len(photos)), ids_by_name(photos), upright=upright)


def ids_by_name(photos: Sequence[Path]) -> NDArray[np.int64]:
    """The numbers that COCO's files are named by; where a photo has another name, photos are numbered from 1."""
    distinct = list(dict.fromkeys(photos))
    numbered = all(photo.stem.isdigit() for photo in distinct)
    ids = {photo: int(photo.stem) if numbered else place for place, photo in enumerate(distinct, 1)}
    return np.array([ids[photo] for photo in photos], np.int64)


def boxes_from_file(
    path: str | Path, photos: Sequence[Path], score_threshold: float = 0.0, *, upright: bool = False
) -> PhotoBoxes:
    """The boxes that a JSON file has for `photos`.

    path: a list of {"file_name" or "image_id", "bbox": [x, y, width, height]}, as detectors write it, or a COCO
    annotation file. A file name may have folders before it; an image id is the number that COCO's files are named by.
    upright: they were found in photos turned by their EXIF orientation; COCO's are in stored pixels.
    Raises ValueError when the file is neither, or has no box for any of the photos.
    """
    try:
        data = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): expected a list of boxes or a COCO annotation file") from error
    rows = _annotations(data) if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(r, dict) and _is_box(r.get("bbox")) for r in rows):
        raise ValueError(
            f'{path} is not a list of boxes: expected [{{"file_name": "a.jpg", "bbox": [x, y, width, height]}}, ...] '
            "or a COCO annotation file"
        )
    by_photo: dict[str | int, list[dict[str, Any]]] = {}
    for row in rows:
        wanted = row.get("category_id", 1) == 1 and row.get("score", 1.0) >= score_threshold
        if wanted and row["bbox"][2] > 0 and row["bbox"][3] > 0:
            key = Path(row["file_name"]).name if "file_name" in row else int(row.get("image_id", -2))
            by_photo.setdefault(key, []).append(row)
    found = [(photo, row) for photo in photos for row in by_photo.get(photo.name) or by_photo.get(_number(photo)) or []]
    if not found:
        raise ValueError(
            f"{path} has no box for {photos[0].name if len(photos) == 1 else f'any of {len(photos)} photos'}: "
            f"its {len(rows)} boxes are for other file names or image ids, or score below {score_threshold:g}"
        )
    chosen = tuple(photo for photo, _ in found)
    told = all("image_id" in row for _, row in found)
    return PhotoBoxes(
        chosen,
        np.array([row["bbox"] for _, row in found], np.float64),
        np.array([row.get("score", 1.0) for _, row in found], np.float64),
        np.array([row["image_id"] for _, row in found], np.int64) if told else ids_by_name(chosen),
        detected=isinstance(data, list),
        upright=upright,
    )


def _annotations(data: dict[str, Any]) -> list[dict[str, Any]] | None:
    if not isinstance(data.get("images"), list) or not isinstance(data.get("annotations"), list):
        return None
    names = {image["id"]: image["file_name"] for image in data["images"]}
    return [
        {**annotation, "file_name": names[annotation["image_id"]]}
        for annotation in data["annotations"]
        if annotation["image_id"] in names and not annotation.get("iscrowd", 0)
    ]


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(v, int | float) for v in value)


def _number(photo: Path) -> int:
    return int(photo.stem) if photo.stem.isdigit() else -1
