"""The hip-knee-ankle angle from two-dimensional keypoints: its sign, its size, its uncertainty.

The deviation is the angle between hip->knee and knee->ankle. It is varus (bow-legged) when the knee lies on the
lateral side of the hip-ankle line and valgus (knock-kneed) when it lies on the medial side; lateral is the direction
from the other hip to this one, so the sign does not depend on how the image is turned or mirrored, nor on which leg
it is. Everything here is varus-positive degrees; the literature uses both signs, so `signed` turns it around for
whoever asks. Legs are in the order left, right.

A research tool, not a medical device: see NOTICE.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Convention = Literal["varus", "valgus"]  # which of the two is positive
CONVENTIONS: tuple[str, ...] = get_args(Convention)
NOTICE = "A research tool, not a medical device: not for diagnosis, treatment or surgical planning."
SIDES = ("left", "right")
MIN_SCORE = 0.3  # of a joint's heatmap peak: below it the joint counts as not seen
HIPS, KNEES, ANKLES = np.array([11, 12]), np.array([13, 14]), np.array([15, 16])  # of COCO's keypoints, left first
LEG_JOINTS = np.stack([HIPS, KNEES, ANKLES], axis=1)  # (2, 3) leg, joint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Angles:
    """Both legs of N persons; NaN where a leg is refused."""

    varus: Array  # (N, 2) degrees, varus positive
    sd: Array  # (N, 2) degrees, one standard deviation that the joints' own uncertainty makes; NaN when that is unknown
    lengths: Array  # (N, 2, 2) pixels, thigh and shank

    @property
    def medial(self) -> Array:
        """The angle (N, 2) between thigh and shank on the medial side, in degrees: 180 is straight, less is varus."""
        return 180 - self.varus


def measure(
    keypoints: ArrayLike,
    scores: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    min_score: float = MIN_SCORE,
) -> Angles:
    """Angles of keypoints (N, 17, 2) in image pixels.

    scores: (N, 17), by which a leg is refused when one of its joints, or the other hip, is below `min_score`.
    covariance: (N, 17, 2, 2) square pixels of each joint's place; it becomes `Angles.sd`.
    """
    points = np.asarray(keypoints, np.float64)
    seen = np.isfinite(points).all(-1) if scores is None else np.asarray(scores) >= min_score  # (N, 17)
    measured = measurable(seen)
    with np.errstate(invalid="ignore", divide="ignore"):
        angles = varus(points)
        sd = np.full(angles.shape, np.nan) if covariance is None else uncertainty(points, covariance)
    return Angles(np.where(measured, angles, np.nan), np.where(measured, sd, np.nan), segment_lengths(points))


def measurable(seen: ArrayLike) -> NDArray[np.bool_]:
    """Which legs (N, 2) have all their joints among the seen ones (N, 17), and the other hip, which gives the side."""
    joints: NDArray[np.bool_] = np.array(seen, bool)
    hips: NDArray[np.bool_] = np.all(joints[:, HIPS], axis=1, keepdims=True)
    return np.all(joints[:, LEG_JOINTS], axis=-1) & hips


def varus(keypoints: ArrayLike) -> Array:
    """Signed deviation (..., 2) in degrees, left and right, varus positive, of keypoints (..., 17, 2).

    NaN where the hips lie on one line with the ankle, so that no side is the lateral one.
    """
    points = np.asarray(keypoints, np.float64)
    hip, knee, ankle = points[..., HIPS, :], points[..., KNEES, :], points[..., ANKLES, :]  # (..., 2, 2) leg, xy
    thigh, shank, axis = knee - hip, ankle - knee, ankle - hip
    lateral = hip - hip[..., ::-1, :]
    # the knee's side of the hip-ankle line is the sign of cross(axis, thigh) = -cross(thigh, shank)
    turn = np.arctan2(_cross(thigh, shank), (thigh * shank).sum(-1))
    side = np.sign(_cross(axis, lateral))
    return -np.degrees(turn) * np.where(side == 0, np.nan, side)


def uncertainty(keypoints: ArrayLike, covariance: ArrayLike) -> Array:
    """Standard deviation (..., 2) of the angle in degrees, to first order, from joint covariances (..., 17, 2, 2).

    With e the unit vector across a segment of length l, the angle moves by e/l for its ends: a hip by the thigh, an
    ankle by the shank, a knee by both. One pixel of lateral knee error on segments of 40, 80, 160 pixels is 2.9, 1.4,
    0.72 degrees.
    """
    points, spread = np.asarray(keypoints, np.float64), np.asarray(covariance, np.float64)
    thigh = points[..., KNEES, :] - points[..., HIPS, :]
    shank = points[..., ANKLES, :] - points[..., KNEES, :]
    by_hip, by_ankle = _across(thigh), _across(shank)
    gradients = ((HIPS, by_hip), (KNEES, by_hip + by_ankle), (ANKLES, by_ankle))  # radians a pixel; signs square away
    variance = sum(np.einsum("...i,...ij,...j->...", g, spread[..., joints, :, :], g) for joints, g in gradients)
    return np.degrees(np.sqrt(np.asarray(variance)))


def segment_lengths(keypoints: ArrayLike) -> Array:
    """Lengths (..., 2, 2) in pixels: leg, then thigh and shank."""
    points = np.asarray(keypoints, np.float64)
    return np.linalg.norm(np.diff(points[..., LEG_JOINTS, :], axis=-2), axis=-1)


def signed(varus_degrees: ArrayLike, convention: str = "varus") -> Array:
    """Deviations with the sign of `convention`: `varus` positive, or `valgus` positive."""
    if convention not in CONVENTIONS:
        raise ValueError(f"unknown sign convention {convention!r}: expected one of {', '.join(CONVENTIONS)}")
    return np.asarray(varus_degrees, np.float64) * (1 if convention == "varus" else -1)


def difference(found: ArrayLike, truth: ArrayLike) -> Array:
    """found - truth in degrees, in [-180, 180)."""
    return (np.asarray(found, np.float64) - np.asarray(truth, np.float64) + 180) % 360 - 180


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _across(segment: Array) -> Array:
    """How much a segment (..., 2) turns, in radians a pixel, when one of its ends moves: the normal over the length."""
    return np.stack([-segment[..., 1], segment[..., 0]], axis=-1) / (segment**2).sum(-1, keepdims=True)
