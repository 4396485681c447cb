"""Whose pose `predict`, `hka` and `report` are asked for, as their options say."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.persons.photo_boxes import PhotoBoxes

BOXES = "Boxes, as detectors write them, or COCO annotations; of photos as stored, unless --exif."
exif: Callable[[Any], Any] = click.option(
    "--exif/--no-exif",
    default=None,
    help="Turn photos upright as their EXIF orientation says; boxes and poses are then in the upright photo. "
    "[default: --exif, but --no-exif with --boxes, as COCO's boxes are in stored pixels]",
)


def asked_persons(
    photos: "Sequence[Path]", boxes: Path | None, score_threshold: float = 0.0, upright: bool | None = None
) -> "PhotoBoxes":
    """The boxes that a file has for `photos`, or each photo as one person; upright None: what --exif defaults to."""
    from pipeline.persons.photo_boxes import boxes_from_file, whole_photos

    if boxes is None:
        return whole_photos(photos, upright=upright is not False)
    return boxes_from_file(boxes, photos, score_threshold, upright=bool(upright))
