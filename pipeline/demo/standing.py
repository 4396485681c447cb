"""People who stand and face the camera with a known hip-knee-ankle angle.

Convention: degrees in the frontal plane; 180 is a straight leg, below it varus (the knee bowed outward), above it valgus.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.body import SIDES, Floats, load_body
from pipeline.demo.camera import Camera
from pipeline.demo.labels import Label, label
from pipeline.demo.people import Person, make_person
from pipeline.demo.poses import Angles, Limb, Trunk, sample_angles
from pipeline.demo.scene import render, stand_at

TALLEST = 2.15  # metres that fit in the picture
TOLERANCE = 1e-3  # degrees between the angle asked for and the angle made
STREAM = 3  # keeps these seeds apart from those of the data set's splits


@dataclass(frozen=True)
class Standing:
    """A photo of one standing person and what is true of it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    label: Label  # box, mask and exact COCO keypoints
    hka3d: tuple[float, float]  # left, right: the mechanical angle between the joint centres of the body
    joints: (
        Floats  # (2, 3, 3) left and right; hip, knee and ankle centres in metres: x to the person's left, y back, z up
    )
    yaw: float  # degrees that the person is turned


def frontal_hka(hip: Floats, knee: Floats, ankle: Floats, other_hip: Floats) -> Floats:
    """Hip-knee-ankle angle (...) in degrees of joint centres (..., 3) in metres with z up.

    The frontal plane holds the vertical and the horizontal direction from the other hip to this one, which is lateral:
    so the sign needs neither side nor view. 180 is straight, below 180 varus.
    """
    lateral = (hip - other_hip) * [1, 1, 0]
    lateral /= np.linalg.norm(lateral, axis=-1, keepdims=True)
    thigh, shank = _outward_lean(knee - hip, lateral), _outward_lean(ankle - knee, lateral)
    return 180 + np.degrees(shank - thigh)


def _outward_lean(segment: Floats, lateral: Floats) -> Floats:
    """Angle in radians of a segment against straight down, positive where its lower end is further out."""
    return np.arctan2((segment * lateral).sum(-1), -segment[..., 2])


def true_hka(person: Person) -> tuple[float, float]:
    """Left and right mechanical hip-knee-ankle angle of a person's joint centres (frontal_hka)."""
    (left_hip, left_knee, left_ankle), (right_hip, right_knee, right_ankle) = _leg_joints(person)
    return (
        float(frontal_hka(left_hip, left_knee, left_ankle, right_hip)),
        float(frontal_hka(right_hip, right_knee, right_ankle, left_hip)),
    )


def _leg_joints(person: Person) -> Floats:
    bones = load_body().bones
    return np.stack([person.joints[[bones[f"{bone}.{side}"] for bone in ("uleg", "lleg", "foot")]] for side in SIDES])


def make_standing(
    seed: int, target: tuple[float, float] = (180.0, 180.0), size: tuple[int, int] = (240, 320), yaw_sd: float = 3.0
) -> Standing:
    """One person standing straight, whole in a photo of `size` (height, width), with hip-knee-ankle angles `target`.

    target: degrees of the left and the right leg; 180 straight, below varus. yaw_sd: degrees that people turn away.
    The same seed gives the same person, pose and photo, whatever the target.
    """
    rng = np.random.default_rng([seed, STREAM])
    angles, yaw = _standing_angles(rng), float(rng.normal(0, yaw_sd))
    person = _person_with(int(rng.integers(1 << 31)), angles, yaw, target)
    height, width = size
    distance = rng.uniform(2.9, 3.4)
    focal = min(height, width) * distance / TALLEST * rng.uniform(0.85, 1)
    camera = Camera(width, height, focal, eye_height=1.0, pitch=0.0)
    slack = max(0.0, 1 - 0.6 * focal / distance / (width / 2))  # of the picture's half width, beside 0.6 m of person
    person = stand_at(person, camera, distance, slack * rng.uniform(-0.7, 0.7))
    scene = render(rng, camera, [person])
    return Standing(scene.photo, label(scene)[0], true_hka(person), _leg_joints(person), yaw)


def _standing_angles(rng: np.random.Generator) -> Angles:
    angles = sample_angles(rng, "stand")
    for side in SIDES:
        angles.legs[side] = Limb(flexion=0, abduction=rng.uniform(2, 7), twist=rng.normal(0, 2), bend=0)
    angles.lean = Trunk()
    return angles


def _person_with(seed: int, angles: Angles, yaw: float, target: tuple[float, float]) -> Person:
    """The person whose legs have the angles `target`. Bodies have angles of their own: the knees are set step by step."""
    varus = np.zeros(2)
    for _ in range(10):
        bowed = dict(zip(SIDES, varus.tolist(), strict=True))
        person = make_person(np.random.default_rng(seed), "stand", yaw, angles, bowed)
        missing = np.array(true_hka(person)) - target
        if np.abs(missing).max() < TOLERANCE:
            return person
        varus += missing
    raise ValueError(f"no leg has a hip-knee-ankle angle of {target} degrees: expected about 150 to 210")
