"""Which joints of a network's skeleton the page measures angles from, and whether they are the mechanical axis."""

from dataclasses import dataclass
from typing import Literal

from cache_tools.skeletons import Role, Side, Skeleton

MECHANICAL: tuple[Role, ...] = ("femoral_head", "knee_centre", "talus")
KEYPOINTS: tuple[Role, ...] = ("hip", "knee", "ankle")


@dataclass(frozen=True, kw_only=True)
class PageRoles:
    """Joints of both legs, left first."""

    #: two times hip, knee, ankle
    legs: tuple[tuple[int, ...], ...]
    #: left, right; None for a skeleton without shoulders
    shoulders: tuple[int, int] | None
    #: the true centres of joints, whose line is the mechanical axis, or keypoints as they are annotated in photos
    measures: Literal["axis", "keypoints"]


def page_roles(skeleton: Skeleton) -> PageRoles:
    """Return the joints of the mechanical axis where the skeleton has all six, else its hips, knees and ankles.

    Raises ValueError for a skeleton that has neither.
    """
    found = skeleton.joints_by_role()
    names = {name: joint for joint, name in enumerate(skeleton.names)}
    shoulders = names.get("left_shoulder"), names.get("right_shoulder")
    for roles in (MECHANICAL, KEYPOINTS):
        legs = [[found.get((side, role)) for role in roles] for side in (Side.LEFT, Side.RIGHT)]
        known = tuple(tuple(joint for joint in leg if joint is not None) for leg in legs)
        if all(len(leg) == len(roles) for leg in known):
            return PageRoles(
                legs=known,
                shoulders=None if shoulders[0] is None or shoulders[1] is None else (shoulders[0], shoulders[1]),
                measures="axis" if roles is MECHANICAL else "keypoints",
            )
    raise ValueError(
        f"skeleton {skeleton.name} has joints {', '.join(skeleton.names[:8])}...: expected hip, knee and ankle of both "
        "legs, or femoral head, knee centre and talus; a skeleton file states them as `roles`"
    )
