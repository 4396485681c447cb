"""People who stand and face the camera with a known hip-knee-ankle angle.

Convention: degrees in the frontal plane; 180 is straight, less is varus (the knee bowed outward), more is valgus.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, arctangent, dot, length
from pipeline.demo.body import SIDES, load_body
from pipeline.demo.camera import Camera
from pipeline.demo.labels import Label, label
from pipeline.demo.people import Person, make_person
from pipeline.demo.poses import Angles, Limb, Trunk, sample_angles
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import render, stand_at

FILLED = (0.66, 0.84)  # share of the picture's height, or width, that a person takes
LEAST, MOST = 150.0, 210.0  # degrees that legs are made with
MOST_STEPS = 10  # three have been enough
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
    lateral = _lateral(hip, other_hip)
    thigh, shank = _outward_lean(knee - hip, lateral), _outward_lean(ankle - knee, lateral)
    return 180 + (shank - thigh)


def _lateral(hip: Floats, other_hip: Floats) -> Floats:
    """The horizontal unit vector (..., 3) from the other hip to this one."""
    across = (hip - other_hip) * [1, 1, 0]
    return across / length(across)[..., None]


def _outward_lean(segment: Floats, lateral: Floats) -> Floats:
    """Angle in degrees of a segment against straight down, positive where its lower end is further out."""
    return arctangent(dot(segment, lateral), -segment[..., 2])


def true_hka(person: Person) -> tuple[float, float]:
    """Left and right mechanical hip-knee-ankle angle of a person's joint centres (frontal_hka)."""
    hip, knee, ankle = np.moveaxis(_leg_joints(person), 1, 0)  # each (2, 3), left and right
    left, right = frontal_hka(hip, knee, ankle, hip[::-1])
    return float(left), float(right)


def _leg_joints(person: Person) -> Floats:
    bones = load_body().bones
    return np.stack([person.joints[[bones[f"{bone}.{side}"] for bone in ("uleg", "lleg", "foot")]] for side in SIDES])


def make_standing(
    seed: int, target: tuple[float, float] = (180.0, 180.0), size: tuple[int, int] = (240, 320), yaw_sd: float = 3.0
) -> Standing:
    """One person standing straight, whole in a photo of `size` (height, width), with hip-knee-ankle angles `target`.

    target: degrees of the left and the right leg; 180 straight, below varus. yaw_sd: degrees that people turn away.
    The same seed gives the same person and pose, whatever the target. Raises ValueError beyond 150 to 210 degrees.
    """
    if not all(LEAST <= degrees <= MOST for degrees in target):
        raise ValueError(
            f"hip-knee-ankle angles of {target} degrees: expected {LEAST:.0f} to {MOST:.0f}, 180 is straight"
        )
    rng = RandomStream(seed, STREAM)
    angles, yaw = sample_angles(rng, "stand"), rng.normal(0, yaw_sd)
    angles.lean = Trunk()
    straddle = np.array([rng.uniform(-1, 5), rng.uniform(-1, 5)])
    person = _person_with(rng.integer(0, 1 << 31), angles, yaw, target, straddle)
    height, width = size
    half_width, _, tall = np.abs(person.vertices).max(0).tolist()
    distance, fill = rng.uniform(2.9, 3.4), rng.uniform(*FILLED)
    pixels_per_metre = fill * min(height / tall, width / (2 * half_width))
    camera = Camera(width, height, pixels_per_metre * distance, eye_height=tall / 2, pitch=0.0)
    slack = 1 - half_width * pixels_per_metre / fill / (width / 2)  # of the half picture, beside the person
    person = stand_at(person, camera, distance, slack * rng.uniform(-0.8, 0.8))
    scene = render(rng, camera, [person])
    return Standing(scene.photo, label(scene)[0], true_hka(person), _leg_joints(person), yaw)


def _person_with(seed: int, angles: Angles, yaw: float, target: tuple[float, float], straddle: Floats) -> Person:
    """The person whose legs have the angles `target` and whose ankles lie `straddle` degrees further out than the hips.

    Every body has leg angles of its own, so knees and hips are set by fixed-point steps.
    """
    varus, abduction = np.zeros(2), np.array(straddle)
    for _ in range(MOST_STEPS):
        bowed = dict(zip(SIDES, varus.tolist(), strict=True))
        for side, degrees in zip(SIDES, abduction.tolist(), strict=True):
            angles.legs[side] = Limb(flexion=0, abduction=degrees, twist=0, bend=0)
        person = make_person(RandomStream(seed), "stand", yaw, angles, bowed)
        varus_missing = np.array(true_hka(person)) - target
        straddle_missing = straddle - _straddle(person)
        if max(np.abs(varus_missing).max(), np.abs(straddle_missing).max()) < TOLERANCE:
            return person
        varus += varus_missing
        abduction += straddle_missing
    raise RuntimeError(f"legs did not reach hip-knee-ankle angles of {target} degrees in {MOST_STEPS} steps")


def _straddle(person: Person) -> Floats:
    """Degrees (2,), left and right, that the line from hip to ankle leaves the vertical outward."""
    hip, _, ankle = np.moveaxis(_leg_joints(person), 1, 0)
    return _outward_lean(ankle - hip, _lateral(hip, hip[::-1]))
