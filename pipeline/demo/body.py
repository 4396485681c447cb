"""The body: a small MakeHuman mesh on 19 bones, and the shapes that it takes.

body.npz holds a mesh of 1,229 body, 428 hair and 720 skirt vertices, ten directions in which its shape varies, and 256
plausible bodies as coordinates along them; NOTICE names what it was made from. World axes are x to the person's left,
y to the back, z up, in metres, from the pelvis.
"""

import functools
from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import COCO
from pipeline.demo.arithmetic import Floats, length
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.rotations import Rotation, rotation_to_vertical

BODY, HAIR, SKIRT = 0, 1, 2  # the parts that a face belongs to
SIDES = ("L", "R")
SIMILAR_AGE = 0.12  # bodies further apart than this (0 a baby, 1 old) are not blended


@dataclass(frozen=True, kw_only=True)
class Body:
    """The rest body. S surface vertices (the first `skin` of them bare body), Q keypoint parts, J bones, F faces."""

    rest: Floats  #: (S + Q + J, 3) the mean body: vertices, keypoint parts, bone heads
    shape_basis: Floats  #: (10, S + Q + J, 3)
    shapes: Floats  #: (256, 10)
    male: NDArray[np.bool_]  #: (256,)
    age: Floats  #: (256,)
    skin: int
    surface: int
    faces: NDArray[np.int64]  #: (F, 3)
    part: NDArray[np.uint8]  #: (F,) BODY, HAIR or SKIRT
    bones: dict[str, int]
    parents: NDArray[np.int64]  #: (J,) -1 at the pelvis
    bone_order: tuple[int, ...]  #: parents before children
    moved_by: NDArray[np.int64]  #: (S + Q, 4) the bones that a vertex moves with
    weights: Floats  #: (S + Q, 4) how much it moves with each; rows sum to 1
    part_of: NDArray[np.int64]  #: (Q,) the COCO keypoint that a keypoint part belongs to
    part_shares: Floats  #: (Q,) sum to 1 over the parts of a keypoint
    normals: Floats  #: (S, 3) of the mean body
    arm_to_vertical: dict[str, Rotation]  #: lets the arms hang, which the rest pose holds out

    @property
    def vertices(self) -> Floats:
        """Surface of the mean body, (S, 3)."""
        return self.rest[: self.surface]

    @property
    def bone_heads(self) -> Floats:
        """Start of each bone of the mean body, (J, 3)."""
        return self.rest[-len(self.bones) :]

    @property
    def keypoints(self) -> Floats:
        """COCO's keypoints of the mean body, (17, 3)."""
        return self.keypoints_of(self.rest[self.surface : -len(self.bones)])

    def head(self, bone: str) -> Floats:
        """Return the start of `bone` of the mean body, (3,)."""
        start: Floats = self.bone_heads[self.bones[bone]]
        return start

    def keypoints_of(self, parts: Floats) -> Floats:
        """Return COCO's keypoints (17, 3) of keypoint parts (Q, 3); each part moves with one bone."""
        keypoints = np.zeros((len(COCO), 3), parts.dtype)
        np.add.at(keypoints, self.part_of, self.part_shares[:, None] * parts)  # one after the other
        return keypoints

    def mostly_on(self, *bones: str) -> NDArray[np.bool_]:
        """Return whether each surface vertex (S,) moves more with the named bones than with others."""
        named, share = [self.bones[bone] for bone in bones], np.zeros(self.surface, np.float32)
        for bone, weight in zip(self.moved_by[: self.surface].T, self.weights[: self.surface].T, strict=True):
            share += weight * np.isin(bone, named)
        return share > 0.5


@functools.cache
def load_body() -> Body:
    """Read the packaged body, once a process."""
    with as_file(files("pipeline.demo") / "body.npz") as path, np.load(path) as archive:
        stored = dict(archive)
    skin, hair, skirt, keypoint_parts, bone_count = (int(count) for count in stored["nv"])
    surface = skin + hair + skirt
    rest = stored["mean"].astype(np.float32)
    bones = {str(name): index for index, name in enumerate(stored["bones"])}
    faces = stored["faces"].astype(np.int64)

    moved_by = np.zeros((surface + keypoint_parts, 4), np.int64)
    moved_by[:surface], moved_by[surface:, 0] = stored["wi"], stored["kb"]
    pulls = np.zeros_like(moved_by)  # 254 to 256 a row on the surface
    pulls[:surface], pulls[surface:, 0] = stored["ww"], 1

    heads = rest[-bone_count:]
    upper_arms = {side: heads[bones[f"larm.{side}"]] - heads[bones[f"uarm.{side}"]] for side in SIDES}
    return Body(
        rest=rest,
        shape_basis=stored["basis"].astype(np.float32),
        shapes=stored["bank"].astype(np.float32),
        male=stored["gender"],
        age=stored["age"].astype(np.float32),
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
        normals=_vertex_normals(rest[:surface], faces),
        arm_to_vertical={side: rotation_to_vertical(arm.tolist()) for side, arm in upper_arms.items()},
    )


def _parents_first(parents: list[int]) -> tuple[int, ...]:
    order: list[int] = []
    while len(order) < len(parents):
        order += [i for i, p in enumerate(parents) if i not in order and (p < 0 or p in order)]
    return tuple(order)


def _vertex_normals(vertices: Floats, faces: NDArray[np.int64]) -> Floats:
    """Return unit normals (S, 3) of a mesh: the mean of its faces' normals, each weighted by the face's area."""
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    face_normals = np.cross(second - first, third - first)
    normals = np.empty_like(vertices)
    for axis in range(3):
        normals[:, axis] = np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices))
    return (normals / np.maximum(length(normals), 1e-9)[:, None]).astype(np.float32)


def sample_shape(body: Body, rng: RandomStream) -> tuple[Floats, bool, float]:
    """Return a body (S + Q + J, 3), whether it is male, and its age: a blend of two stored bodies that are alike."""
    first = rng.integer(0, len(body.shapes))
    alike = (body.male == body.male[first]) & (np.abs(body.age - body.age[first]) < SIMILAR_AGE)
    second = rng.choice(np.flatnonzero(alike).tolist())
    blend = rng.uniform(0, 0.5)
    shape = body.shapes[first] * (1 - blend) + body.shapes[second] * blend
    rest = body.rest.copy()
    for amount, direction in zip(shape, body.shape_basis, strict=True):
        rest += amount * direction
    return rest, bool(body.male[first]), float(body.age[first])
