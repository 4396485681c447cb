"""The body bent into a pose: linear blend skinning."""

import numpy as np

from pipeline.demo.arithmetic import Floats, dot
from pipeline.demo.body import Body
from pipeline.demo.rotations import NO_ROTATION, Rotation, product, rotate


def bend(body: Body, rest: Floats, rotations: dict[str, Rotation]) -> tuple[Floats, Floats, Floats, Floats]:
    """Bend the body `rest` (S + Q + J, 3), each bone against its parent.

    rotations: of bones by name, in the axes of the rest pose; bones not named stay.
    Returns surface (S, 3), its normals (S, 3), COCO keypoints (17, 3), joint centres (J, 3).
    """
    turns, joints = _joints(body, rest[-len(body.bones) :], rotations)
    affines = _vertex_affines(body, rest[-len(body.bones) :], turns, joints)
    points = dot(affines[:, :, :3], rest[: len(affines), None]) + affines[:, :, 3]
    normals = dot(affines[: body.surface, :, :3], body.normals[:, None])
    return points[: body.surface], normals, body.keypoints_of(points[body.surface :]), joints


def _joints(body: Body, heads: Floats, rotations: dict[str, Rotation]) -> tuple[Floats, Floats]:
    """Return how much each bone is turned in the end, (J, 3, 3), and where it begins, (J, 3)."""
    names, turns, joints = list(body.bones), [NO_ROTATION] * len(heads), heads.tolist()
    for bone in body.bone_order:
        parent, local = int(body.parents[bone]), rotations.get(names[bone], NO_ROTATION)
        if parent < 0:
            turns[bone] = local
        else:
            turns[bone] = product(turns[parent], local)
            x, y, z = rotate(turns[parent], (heads[bone] - heads[parent]).tolist())
            joints[bone] = joints[parent][0] + x, joints[parent][1] + y, joints[parent][2] + z
    return np.array(turns), np.array(joints)


def _vertex_affines(body: Body, heads: Floats, turns: Floats, joints: Floats) -> Floats:
    """Return what moves each vertex and keypoint part, (S + Q, 3, 4): the weighted mean of what moves its bones."""
    turned_heads = np.stack([dot(turns[:, row], heads) for row in range(3)], 1)
    bone_affines = np.concatenate([turns, (joints - turned_heads)[..., None]], -1).reshape(-1, 12).astype(np.float32)
    affines = np.zeros((len(body.weights), 12), np.float32)
    for bone, weight in zip(body.moved_by.T, body.weights.T, strict=True):
        affines += bone_affines[bone] * weight[:, None]
    return affines.reshape(-1, 3, 4)
