"""Poses: joint angles in degrees, sampled by kind of pose, and the bone rotations that they mean."""

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.demo.arithmetic import sine_cosine
from pipeline.demo.body import SIDES
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.rotations import Rotation, product, rotation, transposed

POSES = ("stand", "walk", "run", "sit", "crouch", "reach", "sport")
STANCE = 4.5  # degrees that the legs of the rest pose stand apart
GESTURING = {"stand": 0.3, "walk": 0.18, "run": 0.05, "sit": 0.4, "crouch": 0.3, "reach": 1.0, "sport": 0.2}
GESTURE_SHARES = (0.22, 0.2, 0.16, 0.2, 0.22)


class Limb(NamedTuple):
    """An arm or a leg: hip or shoulder flexion (forward), abduction (outward), twist, and bend of knee or elbow."""

    flexion: float
    abduction: float
    twist: float
    bend: float


class Trunk(NamedTuple):
    """Spine or neck, forward, sideways and twisted."""

    flexion: float = 0
    side: float = 0
    twist: float = 0


@dataclass(kw_only=True)
class Angles:
    """One pose in degrees."""

    spine: Trunk
    neck: Trunk
    lean: Trunk  #: of the whole body
    legs: dict[str, Limb]
    arms: dict[str, Limb]


def sample_angles(rng: RandomStream, kind: str) -> Angles:
    """Return a pose of the given kind (one of POSES)."""
    angles = _relaxed(rng)
    if kind in ("walk", "run"):
        _stride(rng, angles, running=kind == "run")
    elif kind == "sit":
        _sit(rng, angles)
    elif kind == "crouch":
        _crouch(rng, angles)
    elif kind == "sport":
        _sport(rng, angles)
    for side in SIDES:
        if rng.random() < GESTURING[kind]:
            angles.arms[side] = _gesture(rng)
    return angles


def _relaxed(rng: RandomStream) -> Angles:
    normal = rng.normal
    angles = Angles(
        spine=Trunk(normal(4, 6), normal(0, 4), normal(0, 6)),
        neck=Trunk(normal(3, 10), normal(0, 7), normal(0, 20)),
        lean=Trunk(normal(0, 3), normal(0, 3)),
        legs={},
        arms={},
    )
    for side in SIDES:
        angles.legs[side] = Limb(normal(2, 5), abs(normal(5, 4)), normal(0, 6), abs(normal(3, 5)))
        angles.arms[side] = Limb(normal(4, 12), abs(normal(10, 8)), normal(0, 15), abs(normal(16, 14)))
    return angles


def _stride(rng: RandomStream, angles: Angles, running: bool) -> None:
    normal = rng.normal
    length, elbow, bend = (1.7, 75, 1.89) if running else (1.0, 14, 1.0)
    phase = rng.uniform(0, 360)
    for side, turn in zip(SIDES, (phase, phase + 180), strict=True):
        swing, lift = sine_cosine(turn)[0], max(0, sine_cosine(turn + 17)[1])
        angles.legs[side] = Limb(
            24 * length * swing + 4 * length, abs(normal(3, 3)), normal(0, 5), (8 + 34 * lift) * bend
        )
        angles.arms[side] = Limb(
            -22 * length * swing + normal(0, 8), abs(normal(9, 5)), normal(0, 10), elbow + normal(0, 12)
        )
    angles.lean = Trunk(normal(3, 3) * length, normal(0, 2))


def _sit(rng: RandomStream, angles: Angles) -> None:
    normal = rng.normal
    for side in SIDES:
        angles.legs[side] = Limb(normal(84, 10), abs(normal(9, 8)), normal(0, 8), min(max(normal(82, 20), 0), 125))
        angles.arms[side] = Limb(normal(28, 16), abs(normal(10, 9)), normal(10, 15), abs(normal(58, 26)))
    angles.spine = Trunk(normal(8, 9), normal(0, 5), normal(0, 8))
    angles.lean = Trunk(normal(-6, 7), normal(0, 3))


def _crouch(rng: RandomStream, angles: Angles) -> None:
    normal, depth = rng.normal, rng.uniform(70, 115)
    for side in SIDES:
        angles.legs[side] = Limb(depth + normal(0, 10), abs(normal(14, 8)), normal(0, 8), depth + normal(15, 12))
        angles.arms[side] = Limb(normal(50, 25), abs(normal(12, 10)), normal(0, 20), abs(normal(35, 25)))
    angles.spine = Trunk(normal(26, 10), normal(0, 5), normal(0, 8))
    angles.lean = Trunk(normal(18, 8), normal(0, 4))


def _sport(rng: RandomStream, angles: Angles) -> None:
    normal, uniform = rng.normal, rng.uniform
    for side in SIDES:
        angles.legs[side] = Limb(uniform(-25, 85), uniform(0, 42), normal(0, 15), uniform(0, 95))
        angles.arms[side] = Limb(uniform(-45, 150), uniform(0, 110), normal(0, 30), uniform(0, 125))
    angles.spine = Trunk(normal(12, 18), normal(0, 12), normal(0, 16))
    angles.lean = Trunk(normal(6, 16), normal(0, 12))
    angles.neck = Trunk(normal(0, 14), normal(0, 10), normal(0, 25))


def _gesture(rng: RandomStream) -> Limb:
    normal, uniform = rng.normal, rng.uniform
    gestures = (
        Limb(uniform(60, 170), uniform(0, 35), normal(0, 20), uniform(0, 45)),  # reaching forward and up
        Limb(uniform(-10, 40), uniform(60, 160), normal(0, 20), uniform(0, 60)),  # out to the side
        Limb(normal(-12, 8), normal(38, 8), normal(62, 10), normal(92, 12)),  # hand on the hip
        Limb(normal(48, 12), normal(8, 8), normal(25, 14), normal(115, 14)),  # hand at the face or chest
        Limb(uniform(20, 90), uniform(0, 60), normal(0, 25), uniform(20, 130)),  # holding something
    )
    return rng.choice(gestures, GESTURE_SHARES)


def bone_rotations(
    angles: Angles, arm_to_vertical: dict[str, Rotation], varus: dict[str, float], yaw: float
) -> dict[str, Rotation]:
    """Return each bone's rotation against its parent.

    varus: degrees that the left (L) and right (R) knee are bowed outward. yaw: degrees; 0 faces the camera.
    """
    lean = product(rotation("y", angles.lean.side), rotation("x", angles.lean.flexion))
    bones = {"pelvis": product(rotation("z", yaw), lean)}
    bones["spine"] = bones["chest"] = _half(angles.spine)
    bones["neck"] = bones["head"] = _half(angles.neck)
    for side, outward in zip(SIDES, (1, -1), strict=True):
        leg, arm, hang = angles.legs[side], angles.arms[side], arm_to_vertical[side]
        thigh = rotation("y", -outward * (leg.abduction - STANCE)), rotation("x", -leg.flexion)
        bones[f"uleg.{side}"] = product(*thigh, rotation("z", outward * leg.twist))
        bones[f"lleg.{side}"] = product(rotation("y", outward * varus[side]), rotation("x", leg.bend))
        bones[f"foot.{side}"] = rotation("x", -0.5 * min(max(leg.flexion - leg.bend, -35), 25))
        shrug = max(0, max(arm.flexion, arm.abduction) - 60) * 0.25  # above 60 degrees the collar bone helps
        bones[f"clav.{side}"] = rotation("y", -outward * shrug)
        raised = rotation("y", -outward * (arm.abduction - shrug)), rotation("x", -arm.flexion)
        bones[f"uarm.{side}"] = product(*raised, rotation("z", -outward * arm.twist), hang)
        bones[f"larm.{side}"] = product(transposed(hang), rotation("x", -arm.bend), hang)
        bones[f"hand.{side}"] = product(transposed(hang), rotation("x", -0.08 * arm.bend - 5), hang)
    return bones


def _half(trunk: Trunk) -> Rotation:
    """Return half of a trunk's rotation, for each of the two bones that share it."""
    return product(rotation("z", trunk.twist / 2), rotation("y", trunk.side / 2), rotation("x", trunk.flexion / 2))
