"""A rendered person in the page, and where kdcache finds its joints: the page compares its own at each start."""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.demo.standing import make_standing
from pipeline.hka.joints import find_joints
from pipeline.persons.photo_boxes import whole_photo_boxes
from student.inference import Inference
from student.pose_network import PoseNetwork

SEED = 5
#: degrees, left and right: slightly varus
ANGLES = (172.0, 176.0)
#: height, width in pixels
SIZE = (720, 540)
QUALITY = 88


def example_photo() -> bytes:
    """Return a rendered person as JPEG."""
    image = make_standing(SEED, ANGLES, SIZE).image
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return encoded.tobytes()


def expected_joints(network: PoseNetwork, jpeg: bytes, min_score: float) -> dict[str, Any]:
    """Return the seen joints of the photo, as numbers and positions in pixels, by the whole photo as box.

    Raises ValueError for a network that sees no joint of it: a page of that would measure nobody.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.jpg"
        path.write_bytes(jpeg)
        persons = whole_photo_boxes([path])
        joints = find_joints(
            network, persons.photo, persons.box, Inference(flip=True), photo_options=persons.photo_options
        )
    seen = np.flatnonzero(joints.score[0] >= min_score)
    if not len(seen):
        raise ValueError(
            f"{network.name} sees no joint of a rendered person, a page of it would measure nobody: train it further"
        )
    return {"joint": seen.tolist(), "xy": joints.xy[0, seen].round(4).tolist()}
