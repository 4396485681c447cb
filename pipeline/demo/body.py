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

from pipeline.demo.rotations import Rotation, rotation_between

Floats = NDArray[np.floating]
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
    bone_weights: Floats  # (S + Q, J), rows sum to 1
    keypoint_weights: Floats  # (17, Q): a keypoint is spread over bones; each of its parts moves with one bone
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
        return self.keypoint_weights @ self.rest[self.surface : -len(self.bones)]

    def head(self, bone: str) -> Floats:
        """Where `bone` of the mean body begins, (3,)."""
        return self.bone_heads[self.bones[bone]]


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

    bone_weights = np.zeros((surface + keypoint_parts, bone_count), np.float32)
    np.put_along_axis(bone_weights[:surface], stored["wi"].astype(int), stored["ww"].astype(np.float32) / 255, 1)
    bone_weights[surface + np.arange(keypoint_parts), stored["kb"]] = 1
    bone_weights /= bone_weights.sum(1, keepdims=True)
    keypoint_weights = np.zeros((17, keypoint_parts), np.float32)
    keypoint_weights[stored["kp"], np.arange(keypoint_parts)] = stored["kc"]

    heads, down = rest[-bone_count:], np.array([0, 0, -1.0])
    arm_to_vertical = {}
    for side in SIDES:
        upper_arm = heads[bones[f"larm.{side}"]] - heads[bones[f"uarm.{side}"]]
        arm_to_vertical[side] = rotation_between(upper_arm / np.linalg.norm(upper_arm), down)
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
        bone_weights=bone_weights,
        keypoint_weights=keypoint_weights,
        normals=vertex_normals(rest[:surface], faces),
        arm_to_vertical=arm_to_vertical,
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
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-9)).astype(np.float32)


def sample_shape(body: Body, rng: np.random.Generator) -> tuple[Floats, bool, float]:
    """A body (S + Q + J, 3), whether it is male, and its age: a blend of two stored bodies that are alike."""
    first = int(rng.integers(len(body.shapes)))
    alike = (body.male == body.male[first]) & (np.abs(body.age - body.age[first]) < SIMILAR_AGE)
    second = int(rng.choice(np.flatnonzero(alike)))
    blend = rng.uniform(0, 0.5)
    shape = body.shapes[first] * (1 - blend) + body.shapes[second] * blend
    rest = body.rest + np.tensordot(shape, body.shape_basis, 1)
    return rest, bool(body.male[first]), float(body.age[first])


def bend(body: Body, rest: Floats, rotations: dict[str, Rotation]) -> tuple[Floats, Floats, Floats, Floats]:
    """The body `rest` with each bone turned against its parent.

    rotations: bone name -> (3, 3), in the axes of the rest pose; bones not named stay.
    Returns surface (S, 3), its normals (S, 3), COCO keypoints (17, 3), joint centres (J, 3).
    """
    heads, count = rest[-len(body.bones) :], len(body.bones)
    turned, joints = np.empty((count, 3, 3)), np.empty((count, 3))
    names = list(body.bones)
    for bone in body.bone_order:
        parent, local = body.parents[bone], rotations.get(names[bone], np.eye(3))
        if parent < 0:
            turned[bone], joints[bone] = local, heads[bone]
        else:
            turned[bone] = turned[parent] @ local
            joints[bone] = joints[parent] + turned[parent] @ (heads[bone] - heads[parent])
    shift = joints - np.einsum("bij,bj->bi", turned, heads)
    bone_affines = np.concatenate([turned, shift[..., None]], -1).reshape(count, 12).astype(np.float32)
    affines = (body.bone_weights @ bone_affines).reshape(-1, 3, 4)
    points = np.matmul(affines[:, :, :3], rest[:-count].astype(np.float32)[:, :, None])[..., 0] + affines[:, :, 3]
    normals = np.matmul(affines[: body.surface, :, :3], body.normals[:, :, None])[..., 0]
    return points[: body.surface], normals, body.keypoint_weights @ points[body.surface :], joints
