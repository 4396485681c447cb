"""A data set of ten joints of two legs with feet: discs of one colour a joint, and a teacher of eight of them."""

import colorsys
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import Skeleton
from tests.samples.drawn_store import ColourTeacher

NAMES = [
    "femoral_head_l", "knee_l", "talus_l", "heel_l", "toe_l", "femoral_head_r", "knee_r", "talus_r", "heel_r", "toe_r"
]  # fmt: skip
EDGES = [[1, 2], [2, 3], [3, 4], [3, 5], [6, 7], [7, 8], [8, 9], [8, 10]]
CATEGORY = 7
#: (height, width)
PHOTO_SIZE = (100, 80)
COLOURS: NDArray[np.int64] = np.round(
    [np.multiply(255, colorsys.hsv_to_rgb(joint / 10, 1, 1)) for joint in range(10)]
).astype(np.int64)  # RGB
# of a leg's joints in the person's box, the left leg on the right as in a photo from the front
LEG = np.array([(0.7, 0.1), (0.75, 0.4), (0.72, 0.7), (0.6, 0.85), (0.88, 0.92)])
#: joints that the teacher knows, in its own order and by its own names
TEACHER_JOINTS = {
    "L_Heel": 3,
    "R_Heel": 8,
    "L_Talus": 2,
    "R_Talus": 7,
    "L_Knee": 1,
    "R_Knee": 6,
    "L_Hip": 0,
    "R_Hip": 5,
}


def write_people(folder: Path, persons: int, seed: int = 0) -> Path:
    """Write a photo of each person and a COCO file of their joints, category 7 beside an empty one; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(persons):
        box = np.array([12.5, 7.5, 55.0, 85.0]) + rng.uniform(-4, 4, 4)
        in_box = np.concatenate([LEG, LEG * (-1, 1) + (1, 0)]) + rng.uniform(-0.05, 0.05, (10, 2))
        keypoints = box[:2] + in_box * box[2:]
        photo = np.full((*PHOTO_SIZE, 3), 40, np.uint8)
        for (x, y), colour in zip(keypoints.tolist(), COLOURS[:, ::-1].tolist(), strict=True):
            cv2.circle(photo, (round(x * 16), round(y * 16)), 5 * 16, colour, -1, cv2.LINE_AA, shift=4)
        cv2.imwrite(str(folder / f"{number:03}.png"), photo)
        images.append({"id": number, "file_name": f"{number:03}.png", "height": PHOTO_SIZE[0], "width": PHOTO_SIZE[1]})
        annotations.append(
            {
                "id": number, "image_id": number, "category_id": CATEGORY, "bbox": box.round(1).tolist(),
                "keypoints": np.c_[keypoints.round(2), np.full(10, 2)].ravel().tolist(),
            }
        )  # fmt: skip
    categories = [
        {"id": 1, "name": "ball"},
        {"id": CATEGORY, "name": "runner", "keypoints": NAMES, "skeleton": EDGES},
    ]
    path = folder / "runners.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def teacher(device: str) -> ColourTeacher:
    """Return a teacher that knows eight joints, as the reference `tests.samples.drawn_feet:teacher`."""
    return ColourTeacher(
        "udp", (64, 64), (16, 16),
        skeleton=Skeleton(names=tuple(TEACHER_JOINTS), mirror=(1, 0, 3, 2, 5, 4, 7, 6)),
        colours=COLOURS[[*TEACHER_JOINTS.values()]],
    )  # fmt: skip
