"""A person: a body in a pose, in clothes, at a place in the world."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats
from pipeline.demo.body import BODY, SKIRT, Body, load_body, sample_shape
from pipeline.demo.outfit import Outfit, sample_outfit
from pipeline.demo.poses import Angles, bone_rotations, sample_angles
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.regions import Regions, load_regions
from pipeline.demo.skinning import bend
from pipeline.demo.thickness import thickness

STRAIGHT = {"L": 0.0, "R": 0.0}


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person in world axes, metres; feet on the ground z = 0 unless jumping."""

    vertices: Floats  #: (S, 3)
    normals: Floats  #: (S, 3)
    keypoints: Floats  #: (17, 3) COCO's
    joints: Floats  #: (J, 3) joint centres
    faces: NDArray[np.int64]  #: (F, 3) of what this person has: long hair, a skirt
    part: NDArray[np.uint8]  #: (F,)
    outfit: Outfit
    kind: str  #: of pose
    yaw: float  #: degrees; 0 faces the camera
    distance: float = 0.0  #: metres from the camera
    crowd: bool = False  #: one of many in the distance, who share one label


def sample_person(rng: RandomStream, kind: str, yaw: float) -> Person:
    """Return someone in a pose of the given kind (one of POSES), above the origin."""
    return make_person(rng, kind, yaw, sample_angles(rng, kind), skirts=kind in ("stand", "walk"))


def make_person(
    rng: RandomStream,
    kind: str,
    yaw: float,
    angles: Angles,
    varus: dict[str, float] | None = None,
    skirts: bool = False,
) -> Person:
    """Return someone with a given pose.

    varus: degrees that the left (L) and right (R) knee are bowed outward. skirts: whether this one may wear one; legs
    pass through skirts in all but calm poses.
    """
    body, regions = load_body(), load_regions()
    rest, male, age = sample_shape(body, rng)
    outfit = sample_outfit(rng, male, age, skirts)
    rest[: body.surface] += thickness(body, regions, outfit)[:, None] * body.normals
    rotations = bone_rotations(angles, body.arm_to_vertical, varus or STRAIGHT, yaw)
    vertices, normals, keypoints, joints = bend(body, rest, rotations)
    jumping = kind in ("run", "sport") and rng.random() < 0.3
    above_ground = rng.exponential(0.12) if jumping else 0.0
    lift = np.array([0, 0, above_ground - vertices[: body.skin, 2].min()], np.float32)
    worn = _worn_faces(body, regions, outfit)
    return Person(
        vertices=vertices + lift,
        normals=normals,
        keypoints=keypoints + lift,
        joints=joints + lift,
        faces=body.faces[worn],
        part=body.part[worn],
        outfit=outfit,
        kind=kind,
        yaw=yaw,
    )


def _worn_faces(body: Body, regions: Regions, outfit: Outfit) -> NDArray[np.bool_]:
    worn: NDArray[np.bool_] = body.part == BODY
    if outfit.long_hair:
        lowest = body.vertices[body.faces][:, :, 2].min(1)
        worn |= regions.hair_behind_face & (lowest > outfit.hair_length * (regions.nose[2] - 0.1))
    if outfit.bottom == "skirt":
        worn |= (body.part == SKIRT) & (regions.leg[body.faces].max(1) < outfit.skirt_length * 1.6)
    return worn
