"""A rendered person in the page, and where kdcache finds its joints: the page compares its own at each start."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from pipeline.demo.standing import make_standing
from pipeline.hka.joints import Joints, find_joints
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


def example_photo(shown: Shown = "person") -> bytes:
    """Return a rendered person, or the legs of one from hip to foot, as JPEG."""
    person = make_standing(SEED, ANGLES, SIZE)
    image = person.image
    if shown == "legs":
        ((left, top, width, height),) = leg_boxes(person.centres.reshape(1, -1, 2).astype(np.float64), *SIZE)
        # an upright photo of 9 to 16 in which they fill five sixths of the height
        tall = LEGS_PHOTO * height
        x, y = left + (width - PHOTO_SHAPE * tall) / 2, top + (height - tall) / 2
        image = image[max(0, round(y)) : round(y + tall), max(0, round(x)) : round(x + PHOTO_SHAPE * tall)]
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return encoded.tobytes()


def choose_example(network: PoseNetwork, min_score: float) -> Shown:
    """Return which of the examples a network sees more joints in: one that was trained on legs only needs these."""
    seen = {
        shown: int((_joints_of(network, example_photo(shown)).score >= min_score).sum()) for shown in ("person", "legs")
    }
    return "legs" if seen["legs"] > seen["person"] else "person"


def expected_joints(network: PoseNetwork, jpeg: bytes, min_score: float) -> dict[str, Any]:
    """Return the seen joints of the photo, as numbers and positions in pixels, by the whole photo as box.

    Raises ValueError for a network that sees no joint of it: a page of that would measure nobody.
    """
    joints = _joints_of(network, jpeg)
    seen = np.flatnonzero(joints.score[0] >= min_score)
    if not len(seen):
        raise ValueError(
            f"{network.name} sees no joint of a rendered person, a page of it would measure nobody: train it further"
        )
    return {"joint": seen.tolist(), "xy": joints.xy[0, seen].round(4).tolist()}


def _joints_of(network: PoseNetwork, jpeg: bytes) -> Joints:
    """Return the joints of a photo, by the whole photo as box."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.jpg"
        path.write_bytes(jpeg)
        persons = whole_photo_boxes([path])
        return find_joints(
            network, persons.photo, persons.box, Inference(flip=True), photo_options=persons.photo_options
        )
