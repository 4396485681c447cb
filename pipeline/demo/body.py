"""The body: a small MakeHuman mesh on 19 bones, its shapes, and how it bends (linear blend skinning).

body.npz holds a mesh of 1,229 body, 428 hair and 720 skirt vertices, ten directions in which its shape varies, and 256
plausible bodies as coordinates along them; NOTICE names what it was made from. World axes are x to the person's left,
y to the back, z up, in metres, from the pelvis.
"""

import functools
from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS
from pipeline.demo.arithmetic import Floats, dot, length
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.rotations import NO_ROTATION, Rotation, Vector, product, rotation_to_vertical, turned

BODY, HAIR, SKIRT = 0, 1, 2  # the parts that a face belongs to
SIDES = ("L", "R")
SIMILAR_AGE = 0.12  # bodies further apart than this (0 a baby, 1 old) are not blended


@dataclass(frozen=True)
class Body:
    """The rest body. S surface vertices (the first `skin` of them bare body), Q keypoint parts, J bones, F faces."""

    rest: Floats  # (S + Q + J, 3) the mean body: vertices, keypoint parts, bone heads
    shape_basis: Floats  # (10, S + Q + J, 3)
    shapes: Floats  # (256, 10)
    male: NDArray[np.bool_]  # (256,)
    age: Floats  # (256,)
    skin: int
    surface: int
    faces: NDArray[np.int64]  # (F, 3)
    part: NDArray[np.uint8]  # (F,) BODY, HAIR or SKIRT
    bones: dict[str, int]
    parents: NDArray[np.int64]  # (J,) -1 at the pelvis
    bone_order: tuple[int, ...]  # parents before children
    moved_by: NDArray[np.int64]  # (S + Q, 4) the bones that a vertex moves with
    weights: Floats  # (S + Q, 4) how much it moves with each; rows sum to 1
    part_of: NDArray[np.int64]  # (Q,) the COCO keypoint of each keypoint part, which moves with one bone
    part_shares: Floats  # (Q,) sum to 1 over the parts of a keypoint
    normals: Floats  # (S, 3) of the mean body
    arm_to_vertical: dict[str, Rotation]  # the rest pose holds its arms out; this lets them hang

    @property
    def vertices(self) -> Floats:
        """The surface of the mean body, (S, 3)."""
        return self.rest[: self.surface]

    @property
    def bone_heads(self) -> Floats:
        """Where the bones of the mean body begin, (J, 3)."""
        return self.rest[-len(self.bones) :]

    @property
    def keypoints(self) -> Floats:
        """COCO's keypoints of the mean body, (17, 3)."""
        return self.joined(self.rest[self.surface : -len(self.bones)])

    def head(self, bone: str) -> Floats:
        """Where `bone` of the mean body begins, (3,)."""
        return self.bone_heads[self.bones[bone]]

    def joined(self, parts: Floats) -> Floats:
        """COCO's keypoints (17, 3) of keypoint parts (Q, 3)."""
        keypoints = np.zeros((JOINTS, 3), parts.dtype)
        np.add.at(keypoints, self.part_of, self.part_shares[:, None] * parts)
        return keypoints

    def mostly_on(self, *bones: str) -> NDArray[np.bool_]:
        """Whether each surface vertex (S,) moves more with the named bones than with others."""
        chosen, share = [self.bones[bone] for bone in bones], np.zeros(self.surface, np.float32)
        for bone, weight in zip(self.moved_by[: self.surface].T, self.weights[: self.surface].T, strict=True):
            share += weight * np.isin(bone, chosen)
        return share > 0.5


@functools.cache
def load_body() -> Body:
    """The packaged body, read once a process."""
    with as_file(files("pipeline.demo") / "body.npz") as path, np.load(path) as archive:
        stored = dict(archive)
    skin, hair, skirt, keypoint_parts, bone_count = (int(count) for count in stored["nv"])
    surface = skin + hair + skirt
    rest = stored["mean"].astype(np.float32)
    bones = {str(name): index for index, name in enumerate(stored["bones"])}
    faces = stored["faces"].astype(np.int64)

    moved_by = np.zeros((surface + keypoint_parts, 4), np.int64)
    moved_by[:surface], moved_by[surface:, 0] = stored["wi"], stored["kb"]
    pulls = np.zeros_like(moved_by)  # of 255 in all, or nearly
    pulls[:surface], pulls[surface:, 0] = stored["ww"], 1

    heads = rest[-bone_count:]
    upper_arms = {side: heads[bones[f"larm.{side}"]] - heads[bones[f"uarm.{side}"]] for side in SIDES}
    return Body(
        rest=rest,
        shape_basis=stored["basis"].astype(np.float32),
        shapes=stored["bank"].astype(np.float32),
        male=stored["gender"],
        age=stored["age"],
        skin=skin,
        surface=surface,
        faces=faces,
        part=stored["part"],
        bones=bones,
        parents=stored["parent"].astype(np.int64),
        bone_order=_parents_first(stored["parent"].tolist()),
        moved_by=moved_by,
        weights=(pulls / pulls.sum(1, keepdims=True)).astype(np.float32),
        part_of=stored["kp"].astype(np.int64),
        part_shares=stored["kc"].astype(np.float32),
        normals=vertex_normals(rest[:surface], faces),
        arm_to_vertical={side: rotation_to_vertical(_vector(arm)) for side, arm in upper_arms.items()},
    )


def _parents_first(parents: list[int]) -> tuple[int, ...]:
    order: list[int] = []
    while len(order) < len(parents):
        order += [i for i, p in enumerate(parents) if i not in order and (p < 0 or p in order)]
    return tuple(order)


def vertex_normals(vertices: Floats, faces: NDArray[np.int64]) -> Floats:
    """Unit normals (S, 3) of a mesh: the mean of its faces' normals, each weighted by the face's area."""
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    face_normals = np.cross(second - first, third - first)
    normals = np.empty_like(vertices)
    for axis in range(3):
        normals[:, axis] = np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices))
    return (normals / np.maximum(length(normals), 1e-9)[:, None]).astype(np.float32)


def sample_shape(body: Body, rng: RandomStream) -> tuple[Floats, bool, float]:
    """A body (S + Q + J, 3), whether it is male, and its age: a blend of two stored bodies that are alike."""
    first = rng.integer(0, len(body.shapes))
    alike = (body.male == body.male[first]) & (np.abs(body.age - body.age[first]) < SIMILAR_AGE)
    second = rng.choice(np.flatnonzero(alike).tolist())
    blend = rng.uniform(0, 0.5)
    shape = body.shapes[first] * (1 - blend) + body.shapes[second] * blend
    rest = body.rest.copy()
    for amount, direction in zip(shape, body.shape_basis, strict=True):
        rest += amount * direction
    return rest, bool(body.male[first]), float(body.age[first])


def bend(body: Body, rest: Floats, rotations: dict[str, Rotation]) -> tuple[Floats, Floats, Floats, Floats]:
    """The body `rest` with each bone turned against its parent.

    rotations: bone name -> (3, 3), in the axes of the rest pose; bones not named stay.
    Returns surface (S, 3), its normals (S, 3), COCO keypoints (17, 3), joint centres (J, 3).
    """
    heads, count, names = rest[-len(body.bones) :], len(body.bones), list(body.bones)
    turns, joints = dict.fromkeys(range(count), NO_ROTATION), dict(enumerate(map(_vector, heads)))
    for bone in body.bone_order:
        parent, local = int(body.parents[bone]), rotations.get(names[bone], NO_ROTATION)
        if parent < 0:
            turns[bone] = local
        else:
            turns[bone] = product(turns[parent], local)
            x, y, z = turned(turns[parent], _vector(heads[bone] - heads[parent]))
            joints[bone] = joints[parent][0] + x, joints[parent][1] + y, joints[parent][2] + z
    return _skinned(body, rest, np.array([turns[i] for i in range(count)]), np.array([joints[i] for i in range(count)]))


def _skinned(body: Body, rest: Floats, turns: Floats, joints: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Surface, normals, keypoints and joints of the body `rest` with bones turned by (J, 3, 3), begun at (J, 3)."""
    count, heads = len(joints), rest[-len(joints) :]
    turned_heads = np.stack([dot(turns[:, row], heads) for row in range(3)], 1)
    bone_affines = np.concatenate([turns, (joints - turned_heads)[..., None]], -1).reshape(count, 12).astype(np.float32)
    affines = np.zeros((len(body.weights), 12), np.float32)
    for bone, weight in zip(body.moved_by.T, body.weights.T, strict=True):
        affines += bone_affines[bone] * weight[:, None]
    affines = affines.reshape(-1, 3, 4)
    points = dot(affines[:, :, :3], rest[:-count, None]) + affines[:, :, 3]
    normals = dot(affines[: body.surface, :, :3], body.normals[:, None])
    return points[: body.surface], normals, body.joined(points[body.surface :]), joints


def _vector(values: Floats) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
