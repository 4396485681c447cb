"""Labels of knees from which the angle in the photo is that of the mechanical axis.

A person who is turned by a few degrees, seen by a camera at three metres, shows an angle that is off by an sd of about
one degree: so much is lost even where every joint is found exactly. A network can see how a person is turned. Taught
by knees that are moved sideways by what is lost, a few millimetres, it learns to make up for it.
"""

import numpy as np

from cache_tools.skeletons import Role, Side, Skeleton
from pipeline.demo.arithmetic import Floats

# hips are points or centres, as the skeleton has them; the same for knees and ankles
ROLES: tuple[tuple[Role, Role], ...] = (("femoral_head", "hip"), ("knee_centre", "knee"), ("talus", "ankle"))


def move_knees(keypoints: Floats, axis: tuple[float, float], skeleton: Skeleton) -> Floats:
    """Return keypoints (K, 3) whose knees are moved across the line from hip to ankle until they show the angle `axis`.

    axis: degrees of varus of the left and the right leg, at most 90 either way. Legs of which a joint is not labelled
    stay as they are. Raises ValueError for a skeleton without hips, knees and ankles of both sides.
    """
    left, right = _leg_of(skeleton, Side.LEFT), _leg_of(skeleton, Side.RIGHT)
    moved = keypoints.copy()
    for (hip, knee, ankle), other_hip, varus in ((left, right[0], axis[0]), (right, left[0], axis[1])):
        if keypoints[[hip, knee, ankle, other_hip], 2].all():
            hip_xy, knee_xy, ankle_xy, other_xy = keypoints[[hip, knee, ankle, other_hip], :2]
            moved[knee, :2] = _knee_that_shows(varus, hip_xy, knee_xy, ankle_xy, hip_xy - other_xy)
    return moved


def _knee_that_shows(varus: float, hip: Floats, knee: Floats, ankle: Floats, lateral: Floats) -> Floats:
    """Return the point (2,) at the height of `knee` along the leg, at which hip -> ankle bends by `varus` degrees.

    A knee that lies `out` beside the line, p below the hip and q above the ankle, bends it by atan(out / p) +
    atan(out / q), of which the tangent is out (p + q) / (p q - out^2).
    """
    length = np.linalg.norm(ankle - hip)
    down = (ankle - hip) / length
    across = np.array([-down[1], down[0]])
    across *= np.sign(across @ lateral)
    p = float((knee - hip) @ down)
    q, tangent = float(length) - p, np.tan(np.radians(varus))
    out = 2 * tangent * p * q / (p + q + np.sqrt((p + q) ** 2 + 4 * tangent**2 * p * q))
    moved: Floats = hip + p * down + out * across
    return moved


def _leg_of(skeleton: Skeleton, side: Side) -> list[int]:
    """Return hip, knee and ankle of a side."""
    by_role = skeleton.joints_by_role()
    leg = [next((by_role[side, role] for role in roles if (side, role) in by_role), None) for roles in ROLES]
    found = [joint for joint in leg if joint is not None]
    if len(found) < len(ROLES):
        raise ValueError(
            f"skeleton {skeleton.name} has no {side.value} hip, knee and ankle: their knees can't be moved"
        )
    return found
