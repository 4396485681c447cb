"""Labels drawn on photos with the joints' names, so that a wrong order is seen before anything is built from it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.images import Image, read_image
from cache_tools.instances import Instances
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.skeletons import Skeleton
from pipeline.report.label_placement import place_labels
from pipeline.report.overlay import MANY_JOINTS, LimbColours, draw_pose, limb_colours, write_picture

#: longer side of a picture in pixels
PICTURE_SIDE = 1000
# of the box's longer side, shown around it
MARGIN = 0.15
# of the person with most labelled joints: fewer show too little of an order
ENOUGH_LABELS = 0.6
FONT, FONT_SCALE, LINE_HEIGHT = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 24
# pixels around text, and below its line
PADDING, BASELINE = 3, 5


def choose_labelled(persons: Instances, count: int, seed: int) -> NDArray[np.intp]:
    """Return rows of up to `count` persons by chance, of those with nearly as many labelled joints as any has."""
    labelled = (persons.visibility > 0).sum(axis=1)
    good = np.flatnonzero(labelled >= ENOUGH_LABELS * labelled.max())
    return np.sort(np.random.default_rng(seed).permutation(good)[:count])


def write_label_overlays(
    folder: Path,
    persons: Instances,
    skeleton: Skeleton,
    images: Path,
    photo_options: PhotoOptions = AS_STORED,
) -> list[Path]:
    """Write a picture of each person with its labels, ANNOTATION_ID.jpg in `folder`; return the paths.

    images: folder of the photos. Raises FileNotFoundError where a photo is missing, ValueError where it has another
    size than the annotations say.
    """
    written = []
    for row in range(len(persons)):
        size = int(persons.image_size[row, 0]), int(persons.image_size[row, 1])
        photo = read_image(images / persons.file_name[row], size, photo_options)
        title = f"annotation {persons.annotation_id[row]}, {persons.file_name[row]}"
        picture = label_picture(
            photo, persons.box[row], persons.keypoints[row], persons.visibility[row], skeleton, title
        )
        path = folder / f"{persons.annotation_id[row]}.jpg"
        write_picture(path, picture)
        written.append(path)
    return written


def label_picture(
    photo: Image,
    box: NDArray[np.float64],
    keypoints: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    skeleton: Skeleton,
    title: str,
) -> Image:
    """Return a person's part of the photo with its labelled joints, their names, and a line that says what is what.

    box (4,): x, y, width, height; keypoints (K, 2) in pixels of the photo; visibility (K,). Above MANY_JOINTS, joints
    have their numbers in place of names.
    """
    labelled = np.flatnonzero(visibility > 0)
    left, top, right, bottom = _shown_part(photo, box, keypoints[labelled])
    scale = PICTURE_SIDE / max(right - left, bottom - top)
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    picture = np.asarray(cv2.resize(photo[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR), np.uint8)
    xy = (keypoints - (left, top)) * scale
    draw_pose(picture, np.concatenate([xy, (visibility > 0)[:, None]], axis=1), skeleton)
    few = len(skeleton) <= MANY_JOINTS
    texts = [_joint_text(skeleton, joint, hidden=visibility[joint] == 1, named=few) for joint in labelled.tolist()]
    sizes = np.array([_text_size(text) for text in texts], np.float64).reshape(-1, 2)
    if few:
        places = place_labels(xy[labelled], np.full(len(labelled), 6.0), sizes, (0, 0, *size), starts=2)
    else:
        places = np.concatenate([xy[labelled] + 4, xy[labelled] + 4 + sizes], axis=1)
    for joint, text, place in zip(labelled.tolist(), texts, places, strict=True):
        _write(picture, text, place, limb_colours(skeleton, joint, joint))
    mirror = "" if skeleton.mirror else "; mirror order not known"
    return _with_lines(picture, [title, f"{skeleton.name}: left is yellow, right is blue, neither is purple{mirror}"])


def _shown_part(photo: Image, box: NDArray[np.float64], labelled: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the photo's part that holds the box and all labelled joints, with a margin."""
    corners = np.concatenate([[box[:2], box[:2] + box[2:]], labelled])
    margin = MARGIN * max(box[2:])
    limits = np.array(photo.shape[1::-1])
    start = np.floor(corners.min(axis=0) - margin).clip(0, limits - 1).astype(int)
    stop = np.ceil(corners.max(axis=0) + margin).clip(start + 1, limits).astype(int)
    return int(start[0]), int(start[1]), int(stop[0]), int(stop[1])


def _joint_text(skeleton: Skeleton, joint: int, *, hidden: bool, named: bool) -> str:
    # OpenCV's letters are ASCII
    name = skeleton.names[joint].encode("ascii", "replace").decode()
    text = f"{joint + 1} {name}" if named else str(joint + 1)
    return f"{text}, hidden" if hidden and named else text


def _text_size(text: str) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, FONT, FONT_SCALE, 1)
    return width + 2 * PADDING, height + BASELINE + PADDING


def _write(picture: Image, text: str, box: NDArray[np.float64], colours: LimbColours) -> None:
    """Write text into its box (4,): left, top, right, bottom, on a ground that keeps it readable on any photo."""
    left, top, right, bottom = (round(edge) for edge in box.tolist())
    cv2.rectangle(picture, (left, top), (right, bottom), colours[1], cv2.FILLED)
    cv2.putText(picture, text, (left + PADDING, bottom - BASELINE), FONT, FONT_SCALE, colours[0], 1, cv2.LINE_AA)


def _with_lines(picture: Image, lines: Sequence[str]) -> Image:
    """Return the picture with lines of black text on white above it, as wide as they need."""
    width = max(picture.shape[1], *(_text_size(line)[0] + 8 for line in lines))
    whole = np.full((picture.shape[0] + LINE_HEIGHT * len(lines), width, 3), 255, np.uint8)
    whole[LINE_HEIGHT * len(lines) :, : picture.shape[1]] = picture
    for number, line in enumerate(lines, 1):
        cv2.putText(whole, line, (4, LINE_HEIGHT * number - 8), FONT, FONT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
    return whole
