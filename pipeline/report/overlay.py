"""Poses drawn on photos. Left is light with a dark edge, right is dark with a light edge: told apart in grey, too."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import KEYPOINTS, SKELETON
from cache_tools.images import Image, read_image

# (line, edge) RGB
LEFT = (255, 190, 30), (20, 20, 20)
RIGHT = (20, 70, 200), (255, 255, 255)
MIDDLE = (200, 30, 120), (255, 255, 255)
SUBPIXEL = 4  # bits after the point in OpenCV's drawing coordinates


def draw_pose(image: Image, keypoints: ArrayLike, threshold: float = 0.2) -> None:
    """Draw a skeleton on `image` in place.

    keypoints (17, 3): x, y, score; joints of a score up to `threshold` are left out.
    Lines are as thick as the person is large, so that a child in the distance does not become a blot.
    """
    points = np.asarray(keypoints, np.float64)
    shown = (points[:, 2] > threshold) & np.isfinite(points).all(1)
    if not shown.any():
        return
    extent = np.ptp(points[shown, :2], axis=0).max()
    width = int(np.clip(round(extent / 90), 1, max(2, min(image.shape[:2]) // 120)))
    fixed = np.round(points[:, :2].clip(-1e5, 1e5) * 2**SUBPIXEL).astype(int)
    for edge in (True, False):  # all edges first, so that they never cut a line of the same person
        for a, b in SKELETON:
            if shown[a] and shown[b]:
                colour = style(a, b)[edge]
                cv2.line(image, fixed[a], fixed[b], colour, width + 2 * edge, cv2.LINE_AA, SUBPIXEL)
        for joint in np.flatnonzero(shown).tolist():
            radius = (width + 1 + edge) << SUBPIXEL
            cv2.circle(image, fixed[joint], radius, style(joint, joint)[edge], cv2.FILLED, cv2.LINE_AA, SUBPIXEL)


def style(a: int, b: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(line, edge) of the limb between two joints: by the side that both are on."""
    sides = {KEYPOINTS[joint].partition("_")[0] for joint in (a, b)} - {"nose"}
    return LEFT if sides == {"left"} else RIGHT if sides == {"right"} else MIDDLE


def write_overlays(
    folder: Path, photos: Sequence[Path], found: NDArray[np.float64], threshold: float = 0.2, *, upright: bool = False
) -> list[Path]:
    """Every photo with the poses (N, 17, 3) found in it, as JPEG of its name in `folder`; paths as written.

    upright: the poses are in photos turned by their EXIF orientation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = unique_names(list(dict.fromkeys(photos)))
    for photo, name in names.items():
        image = read_image(photo, upright=upright)
        for row in np.flatnonzero([p == photo for p in photos]):
            draw_pose(image, found[row], threshold)
        write_picture(folder / name, image)
    return [folder / name for name in names.values()]


def unique_names(photos: Sequence[Path]) -> dict[Path, str]:
    """A JPEG name for each photo: its own, and its folder's before it where two photos have the same."""
    stems = [photo.stem for photo in photos]
    return {
        photo: f"{photo.stem if stems.count(photo.stem) == 1 else '_'.join(photo.with_suffix('').parts[-2:])}.jpg"
        for photo in photos
    }


def write_picture(path: Path, image: Image, quality: int = 92) -> None:
    """An RGB image as a file of the kind that its name says, through a temporary name."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"cannot write {path}: expected .jpg or .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.partial")
    unfinished.write_bytes(data.tobytes())
    unfinished.replace(path)
