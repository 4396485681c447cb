"""Poses drawn on photos.

Left is light with a dark edge and right is dark with a light edge: a reader tells them apart in grey, too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.files import write_bytes
from cache_tools.images import Image, read_image
from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.skeletons import Side, Skeleton

#: colours of a limb and of its edge, RGB
LimbColours = tuple[tuple[int, int, int], tuple[int, int, int]]
LEFT: LimbColours = (255, 190, 30), (20, 20, 20)
RIGHT: LimbColours = (20, 70, 200), (255, 255, 255)
MIDDLE: LimbColours = (200, 30, 120), (255, 255, 255)
#: joints of a score up to this are not drawn
SHOWN_SCORE = 0.2
#: joints of a skeleton above which dots are drawn small
MANY_JOINTS = 40
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
# bits after the point in OpenCV's drawing coordinates
SUBPIXEL = 4


def draw_pose(image: Image, keypoints: ArrayLike, skeleton: Skeleton, threshold: float = SHOWN_SCORE) -> None:
    """Draw a pose on `image` in place: the edges of its skeleton, and a dot a joint.

    keypoints (K, 3): x, y, score; joints of a score up to `threshold` are left out. Lines are the thicker the larger
    the person is in the photo, so that small persons stay visible below them.
    """
    points = np.asarray(keypoints, np.float64)
    shown = (points[:, 2] > threshold) & np.isfinite(points).all(1)
    if not shown.any():
        return
    extent = np.ptp(points[shown, :2], axis=0).max()
    width = int(np.clip(round(extent / 90), 1, max(2, min(image.shape[:2]) // 120)))
    # a face of 68 joints is a face, not a heap of dots
    dot = width + 1 if len(skeleton) <= MANY_JOINTS else max(1, width - 1)
    fixed = np.round(points[:, :2].clip(-1e5, 1e5) * 2**SUBPIXEL).astype(int)
    # all edges first: they never cut a line of the same person
    for edge in (True, False):
        for a, b in skeleton.edges:
            if shown[a] and shown[b]:
                colour = limb_colours(skeleton, a, b)[edge]
                cv2.line(image, fixed[a], fixed[b], colour, width + 2 * edge, cv2.LINE_AA, SUBPIXEL)
        for joint in np.flatnonzero(shown).tolist():
            radius, colour = (dot + edge) << SUBPIXEL, limb_colours(skeleton, joint, joint)[edge]
            cv2.circle(image, fixed[joint], radius, colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL)


def limb_colours(skeleton: Skeleton, a: int, b: int) -> LimbColours:
    """Return the colours of the limb between two joints, by the side that they are on."""
    sides = {drawn_side(skeleton, joint) for joint in (a, b)} - {None}
    if sides == {Side.LEFT}:
        return LEFT
    return RIGHT if sides == {Side.RIGHT} else MIDDLE


def drawn_side(skeleton: Skeleton, joint: int) -> Side | None:
    """Return the side that a joint's name states; of a mirror pair whose names state none, the first is drawn as left.

    Two joints that mirror each other (a horse's near and off knee) are then told apart.
    """
    partner = joint if skeleton.mirror is None else skeleton.mirror[joint]
    if skeleton.sides[joint] is not None or partner == joint:
        return skeleton.sides[joint]
    if skeleton.sides[partner] is not None:
        return Side.RIGHT if skeleton.sides[partner] is Side.LEFT else Side.LEFT
    return Side.LEFT if joint < partner else Side.RIGHT


def write_pose_overlays(
    folder: Path,
    photos: Sequence[Path],
    poses: NDArray[np.float64],
    skeleton: Skeleton,
    threshold: float = SHOWN_SCORE,
    *,
    names: Sequence[str],
    photo_options: PhotoOptions = AS_STORED,
) -> list[Path]:
    """Write every photo with the poses (N, K, 3) found in it, as JPEG in `folder`; return the paths.

    photos (N,): the photo of each pose. names (N,): its path relative to the folder of photos, of which `picture_names`
    makes the picture's. photo_options: how the photos were read that the poses are in.
    """
    pictures = picture_names(dict(zip(photos, names, strict=True)))
    for photo, name in pictures.items():
        image = read_image(photo, options=photo_options)
        for row in np.flatnonzero([p == photo for p in photos]):
            draw_pose(image, poses[row], skeleton, threshold)
        write_picture(folder / name, image)
    return [folder / name for name in pictures.values()]


def picture_names(photos: Mapping[Path, str]) -> dict[Path, str]:
    """Return a JPEG name for each photo, all different.

    photos: path of each photo relative to the folder of photos. The name is the photo's; with all its folders before it
    where others have the same, as video1_0001.jpg; and with its suffix too where that is not enough.
    """
    names: dict[Path, str] = {}
    others = dict(photos)
    for name_of in (_stem, _stem_with_folders, _whole_name):
        counts = Counter(name_of(name) for name in others.values())
        taken = {*names.values()}
        for photo, name in list(others.items()):
            if counts[name_of(name)] == 1 and name_of(name) not in taken:
                names[photo] = name_of(others.pop(photo))
    # a/b_c.jpg and a_b/c.jpg
    names |= {photo: f"{number}_{_whole_name(name)}" for number, (photo, name) in enumerate(others.items(), 1)}
    return {photo: names[photo] for photo in photos}


def _stem(name: str) -> str:
    return f"{PurePosixPath(name).stem}.jpg"


def _stem_with_folders(name: str) -> str:
    return f"{'_'.join(PurePosixPath(name).with_suffix('').parts)}.jpg"


def _whole_name(name: str) -> str:
    return f"{'_'.join(PurePosixPath(name).parts)}.jpg"


def write_picture(path: Path, image: Image, quality: int = 92) -> None:
    """Write an RGB image as the kind of file that its name says; `quality` is that of a JPEG.

    Raises ValueError for a name that does not end in .jpg, .jpeg or .png.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise ValueError(f"cannot write {path}: expected a name that ends in {', '.join(PICTURE_SUFFIXES)}")
    options = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    write_bytes(path, data.tobytes())
