"""Photos of people who stand and face the camera with known hip-knee-ankle angles (leg_angles.py)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import COCO
from pipeline.demo.arithmetic import Floats
from pipeline.demo.body import SIDES, load_body
from pipeline.demo.camera import Camera
from pipeline.demo.labels import Label, label, to_pixels
from pipeline.demo.leg_angles import frontal_hka, straddle
from pipeline.demo.people import Person, make_person
from pipeline.demo.poses import Angles, Limb, Trunk, sample_angles
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import Scene, render, stand_at

FILLED = (0.66, 0.84)  # share of the picture's height, or width, that a person fills
LEAST, MOST = 150.0, 210.0  # degrees that legs are made with
MOST_STEPS = 10  # three have been enough
LARGEST_DEVIATION = 15.0  #: degrees of varus or valgus that legs have at most where angles are drawn
TOLERANCE = 1e-3  # degrees between the requested angle and the one that is made
STREAM = 3  # other than those of the data set's splits
JOINTS = ("uleg", "lleg", "foot")  # bones that begin at hip, knee and ankle


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A photo of one standing person, and the truth about it."""

    image: NDArray[np.uint8]  #: (H, W, 3) RGB
    label: Label  #: box, mask and exact COCO keypoints
    hka3d: tuple[float, float]  #: degrees, left and right: the mechanical angle between the joint centres of the body
    joints: Floats  #: (2, 3, 3) left, right; hip, knee, ankle centres in metres: x to the person's left, y back, z up
    centres: Floats  #: (2, 3, 2) the same in the photo, in pixels
    yaw: float  #: degrees that the person is turned


def make_standing(
    seed: int, target: tuple[float, float] = (180.0, 180.0), size: tuple[int, int] = (240, 320), yaw_sd: float = 3.0
) -> Standing:
    """Return one person who stands straight, whole in a photo of `size` (height, width).

    target: hip-knee-ankle angles in degrees of the left and the right leg; 180 is straight, less is varus.
    yaw_sd: degrees that people turn away from the camera.
    The same seed gives the same person and pose, whatever the target. Raises ValueError beyond 150 to 210 degrees.
    """
    if not all(LEAST <= degrees <= MOST for degrees in target):
        raise ValueError(
            f"hip-knee-ankle angles of {target} degrees: expected {LEAST:.0f} to {MOST:.0f}, where 180 is straight"
        )
    scene, yaw = standing_scene(RandomStream(seed, STREAM), target, size, yaw_sd)
    joints = _leg_joints(scene.people[0])
    left, right = _hka(joints).tolist()
    return Standing(
        image=scene.photo,
        label=label(scene, COCO)[0],
        hka3d=(left, right),
        joints=joints,
        centres=to_pixels(scene.camera.project(scene.camera.see(joints))),
        yaw=yaw,
    )


def standing_scene(
    rng: RandomStream, target: tuple[float, float], size: tuple[int, int], yaw_sd: float = 3.0
) -> tuple[Scene, float]:
    """Return a scene of one person who stands straight, and the degrees that the person is turned (make_standing)."""
    angles, yaw = sample_angles(rng, "stand"), rng.normal(0, yaw_sd)
    angles.lean = Trunk()
    straddles = rng.uniform(-1, 5), rng.uniform(-1, 5)
    person = _person_with(rng.integer(0, 1 << 31), angles, yaw, target, straddles)
    height, width = size
    half_width, _, tall = np.abs(person.vertices).max(0).tolist()
    distance, fill = rng.uniform(2.9, 3.4), rng.uniform(*FILLED)
    pixels_per_metre = fill * min(height / tall, width / (2 * half_width))
    camera = Camera(width=width, height=height, focal=pixels_per_metre * distance, eye_height=tall / 2, pitch=0.0)
    slack = 1 - half_width * pixels_per_metre / fill / (width / 2)  # of the half picture, beside the person
    person = stand_at(person, camera, distance, slack * rng.uniform(-0.8, 0.8))
    return render(rng, camera, [person]), yaw


def axis_of(person: Person) -> tuple[float, float]:
    """Return the degrees of varus of a person's left and right mechanical axis."""
    left, right = (180 - _hka(_leg_joints(person))).tolist()
    return left, right


def _person_with(
    seed: int, angles: Angles, yaw: float, target: tuple[float, float], straddles: tuple[float, float]
) -> Person:
    """Return the person whose legs have the angles `target` and stand `straddles` degrees apart (leg_angles.straddle).

    Bodies differ in the angles of their legs at rest, therefore knees and hips are set by fixed-point steps.
    """
    varus, abduction = np.zeros(2), np.array(straddles)
    for _ in range(MOST_STEPS):
        bowed = dict(zip(SIDES, varus.tolist(), strict=True))
        for side, degrees in zip(SIDES, abduction.tolist(), strict=True):
            angles.legs[side] = Limb(flexion=0, abduction=degrees, twist=0, bend=0)
        person = make_person(RandomStream(seed), "stand", yaw, angles, bowed)
        joints = _leg_joints(person)
        varus_missing = _hka(joints) - target
        straddle_missing = straddles - straddle(joints[:, 0], joints[:, 2], joints[::-1, 0])
        if max(np.abs(varus_missing).max(), np.abs(straddle_missing).max()) < TOLERANCE:
            return person
        varus += varus_missing
        abduction += straddle_missing
    raise RuntimeError(f"legs did not reach hip-knee-ankle angles of {target} degrees in {MOST_STEPS} steps")


def _leg_joints(person: Person) -> Floats:
    """Return the centres (2, 3, 3) in metres, left and right, of hip, knee and ankle."""
    bones = load_body().bones
    return np.stack([person.joints[[bones[f"{bone}.{side}"] for bone in JOINTS]] for side in SIDES])


def _hka(joints: Floats) -> Floats:
    """Return the left and right hip-knee-ankle angle (2,) in degrees of leg joints (2, 3, 3)."""
    hip, knee, ankle = np.moveaxis(joints, 1, 0)  # each (2, 3), left and right
    return frontal_hka(hip, knee, ankle, hip[::-1])
