"""Which angle a skeleton's joints measure: that of the mechanical axis, or that of points near the joints.

The mechanical axis of a leg is the line from the femoral head's centre over the knee's to the talus, and only a
skeleton that has these centres measures it. COCO's hip, knee and ankle are points that annotators see in photos: their
angle is another one. The joints are found by their roles (cache_tools/skeletons/roles.py).
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cache_tools.skeletons import COCO, Role, Side, Skeleton
from cache_tools.skeletons.roles import SidedRole

logger = logging.getLogger(__name__)

MECHANICAL_AXIS = "mechanical axis"
COCO_POINTS = "COCO's points"
#: part of the leg -> the role of its true centre
CENTRES: dict[Role, Role] = {"hip": "femoral_head", "knee": "knee_centre", "ankle": "talus"}
NAMES_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class AngleDefinition:
    """The joints that an angle is measured between."""

    #: name of the skeleton that has the joints
    skeleton: str
    #: left_hip, ..., right_ankle -> the skeleton's joint that is taken for it
    joints: dict[str, str]
    #: whether all six are true centres of joints
    is_mechanical: bool

    @property
    def points(self) -> str:
        """Return whose points these are, for a cell of a table."""
        if self.is_mechanical:
            return "true joint centres"
        return COCO_POINTS if self.skeleton == COCO.name else f"points of {self.skeleton}"

    @property
    def name(self) -> str:
        """Return what the angle is: "mechanical axis", or "hip-knee-ankle angle of COCO's points"."""
        if self.is_mechanical:
            return MECHANICAL_AXIS
        return f"hip-knee-ankle angle of {self.points if self.points == COCO_POINTS else 'the ' + self.points}"

    def to_json(self) -> dict[str, Any]:
        """Return the angle's name and its joints as a JSON object."""
        return {"name": self.name, "skeleton": self.skeleton, "joints": self.joints}


def define_angle(skeleton: Skeleton) -> AngleDefinition:
    """Return the angle that a skeleton measures: of the mechanical axis where it has all six centres.

    Raises ValueError, naming what is missing, for a skeleton without hip, knee and ankle of both legs.
    """
    found = skeleton.joints_by_role()
    roles = _roles_of_parts(found)
    missing = [f"{side.value} {part}" for side in Side for part, role in roles.items() if (side, role) not in found]
    if missing:
        raise ValueError(
            f"skeleton {skeleton.name} has no {', no '.join(missing)}: an angle needs hip (or femoral head), knee (or "
            "its centre) and ankle (or talus) of both legs, the same of both, by name or by `roles` of the skeleton's "
            f"file; it has {', '.join(skeleton.names[:NAMES_SHOWN])}"
        )
    near = [skeleton.names[found[side, part]] for part, role in roles.items() if role == part for side in Side]
    if 0 < len(near) < len(Side) * len(CENTRES):
        logger.warning(
            "%s has some true centres of joints, and %s by name are points near them: it measures no mechanical axis; "
            "where they are centres, say it by `roles` of the skeleton's file",
            skeleton.name,
            ", ".join(near),
        )
    return AngleDefinition(
        skeleton=skeleton.name,
        joints={
            f"{side.value}_{part}": skeleton.names[found[side, role]] for part, role in roles.items() for side in Side
        },
        is_mechanical=set(roles.values()) == set(CENTRES.values()),
    )


def _roles_of_parts(found: Collection[SidedRole]) -> dict[Role, Role]:
    """Return part of the leg -> the role that is taken for it: all centres, else all points near them, else what is."""

    def both(role: Role) -> bool:
        return all((side, role) in found for side in Side)

    near_first = all(map(both, CENTRES)) and not all(map(both, CENTRES.values()))
    roles: dict[Role, Role] = {}
    for part, centre in CENTRES.items():
        first, second = (part, centre) if near_first else (centre, part)
        roles[part] = next((role for role in (first, second) if both(role)), part)
    return roles
