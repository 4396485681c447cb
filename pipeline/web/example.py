"""A rendered person in the page, and where kdcache finds its joints: the page compares its own at each start."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from cache_tools.images import Image
from pipeline.demo.standing import Standing, make_standing
from pipeline.hka.joints import find_joints
from pipeline.leg_boxes import leg_boxes
from pipeline.persons.photo_boxes import whole_photo_boxes
from student.inference import Inference
from student.pose_network import PoseNetwork

SEED = 5
#: degrees, left and right: slightly varus
ANGLES = (172.0, 176.0)
#: height, width in pixels
SIZE = (720, 540)
QUALITY = 88
#: height of a photo of legs over that of their box, and its width over its height
LEGS_PHOTO, PHOTO_SHAPE = 1.2, 9 / 16

#: what a photo shows
Shown = Literal["person", "legs"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A rendered photo, and where a network sees joints in it by the whole photo as box."""

    shown: Shown
    jpeg: bytes
    #: numbers of the seen joints
    joint: list[int]
    #: their positions in pixels
    xy: list[list[float]]


def choose_example(network: PoseNetwork, min_score: float) -> Example:
    """Return the photo in which a network sees more joints, of a person or of legs only, which some networks need.

    Raises ValueError for a network that sees no joint in either: a page of it would measure nobody.
    """
    person = make_standing(SEED, ANGLES, SIZE)
    example = max(
        (_example(network, "person", person.image, min_score), _example(network, "legs", _legs(person), min_score)),
        key=lambda one: len(one.joint),
    )
    if not example.joint:
        raise ValueError(
            f"{network.name} sees no joint of a rendered person, a page of it would measure nobody: train it further"
        )
    return example


def _legs(person: Standing) -> Image:
    """Return an upright photo of 9 to 16 of the legs only, which fill five sixths of its height."""
    ((left, top, width, height),) = leg_boxes(person.centres.reshape(1, -1, 2).astype(np.float64), *SIZE)
    tall = LEGS_PHOTO * height
    x, y = left + (width - PHOTO_SHAPE * tall) / 2, top + (height - tall) / 2
    return person.image[max(0, round(y)) : round(y + tall), max(0, round(x)) : round(x + PHOTO_SHAPE * tall)]


def _example(network: PoseNetwork, shown: Shown, image: Image, min_score: float) -> Example:
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[
        1
    ].tobytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.jpg"
        path.write_bytes(jpeg)
        persons = whole_photo_boxes([path])
        joints = find_joints(
            network, persons.photo, persons.box, Inference(flip=True), photo_options=persons.photo_options
        )
    seen = np.flatnonzero(joints.score[0] >= min_score)
    return Example(shown=shown, jpeg=jpeg, joint=seen.tolist(), xy=joints.xy[0, seen].round(4).tolist())
