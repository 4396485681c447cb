"""Coordinates of points on the body, along arm, leg and scalp, by which clothes and faces are painted."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, dot
from pipeline.demo.body import HAIR, SIDES, Body, load_body

NOT_ARM, NOT_LEG, NOT_SCALP = -0.3, -1.0, -9.0


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Coordinates of the S surface vertices of the mean body, and the landmarks that faces are painted around."""

    arm: Floats  #: (S,) 0 at the shoulder, 1 at the elbow, 2 at the wrist; NOT_ARM elsewhere
    leg: Floats  #: (S,) 0 at the hip, 1 at the knee, 2 at the ankle; negative above; NOT_LEG on arms
    scalp: Floats  #: (S,) above 0 where hair grows, in centimetres from the hairline
    is_head: NDArray[np.bool_]  #: (S,)
    attributes: Floats  #: (S, 6) x, y, z of the mean body, arm, leg, scalp: all that painting depends on
    hair_behind_face: NDArray[np.bool_]  #: (F,) faces of the hair that do not hang over the face
    neck_z: float  #: metres
    eye: Floats  #: (3,) the left one
    ear: Floats  #: (3,) the left one
    nose: Floats  #: (3,)


@functools.cache
def load_regions() -> Regions:
    """Compute the regions of the packaged body, once a process."""
    body = load_body()
    vertices, keypoints = body.vertices, body.keypoints
    nose, eye, ear = keypoints[0], keypoints[1], keypoints[3]
    is_arm = body.mostly_on(*(f"{bone}.{side}" for bone in ("uarm", "larm", "hand") for side in SIDES))
    is_head = body.mostly_on("head")
    arm = np.where(is_arm, _along_arm(body), NOT_ARM).astype(np.float32)
    leg = np.where(is_arm, NOT_LEG, _along_leg(body)).astype(np.float32)
    above_forehead = (vertices[:, 2] - eye[2] - 0.058) / 0.01
    behind_ears = (vertices[:, 1] - ear[1] + 0.004) / 0.01
    above_nape = (vertices[:, 2] - ear[2] + 0.045) / 0.01
    hairline = np.maximum(above_forehead, np.minimum(behind_ears, above_nape))
    scalp = np.where(is_head, np.maximum(hairline, NOT_SCALP), NOT_SCALP).astype(np.float32)
    first, second, third = (vertices[body.faces[:, corner]] for corner in range(3))
    middle = (first + second + third) / 3
    over_face = (middle[:, 1] < ear[1] - 0.025) & (middle[:, 2] < eye[2] + 0.045)
    return Regions(
        arm=arm,
        leg=leg,
        scalp=scalp,
        is_head=is_head,
        attributes=np.column_stack([vertices, arm, leg, scalp]).astype(np.float32),
        hair_behind_face=(body.part == HAIR) & ~over_face,
        neck_z=float(body.head("neck")[2]),
        eye=eye,
        ear=ear,
        nose=nose,
    )


def _along_arm(body: Body) -> Floats:
    """Return the arm coordinate (S,), both sides folded onto the left."""
    left = body.vertices.astype(np.float64)
    left[:, 0] = np.abs(left[:, 0])
    shoulder, elbow, wrist = (body.head(bone) for bone in ("uarm.L", "larm.L", "hand.L"))
    upper = dot(left - shoulder, elbow - shoulder) / dot(elbow - shoulder, elbow - shoulder)
    lower = dot(left - elbow, wrist - elbow) / dot(wrist - elbow, wrist - elbow)
    return np.where(upper < 1, upper, 1 + np.maximum(lower, 0))


def _along_leg(body: Body) -> Floats:
    """Return the leg coordinate (S,), piecewise linear in the height."""
    hip, knee, ankle = (body.head(bone)[2] for bone in ("uleg.L", "lleg.L", "foot.L"))
    depth, along = -body.vertices[:, 2], np.full(body.surface, -0.7, np.float32)
    pieces = ((-hip - 0.3, -hip, 0.7), (-hip, -knee, 1), (-knee, -ankle, 1), (-ankle, -ankle + 0.1, 0.3))
    for start, end, rise in pieces:
        along += rise * np.clip((depth - start) / (end - start), 0, 1)
    return along
