"""Roles: which joints of a skeleton are the femoral head, the knee's centre and the talus, and which lie near them.

An X-ray shows the centres of joints, and the line through them is a leg's mechanical axis. What is clicked in photos
are points near them: COCO's left_hip is no femoral head. A joint therefore has a role by its name, or by what its
skeleton states, and no number of joints says anything of it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

from cache_tools.skeletons.keypoint_names import Side, side_and_words

Role = Literal["femoral_head", "knee_centre", "talus", "hip", "knee", "ankle"]
ROLES: tuple[Role, ...] = get_args(Role)
#: side and role of a joint
SidedRole = tuple[Side, Role]

# The centre of the hip joint is that of the femoral head; that of the ankle joint is the middle of the talar dome.
SPELLINGS: dict[tuple[str, ...], Role] = {
    ("femoral", "head"): "femoral_head",
    ("femur", "head"): "femoral_head",
    ("hip", "centre"): "femoral_head",
    ("hip", "joint", "centre"): "femoral_head",
    ("knee", "centre"): "knee_centre",
    ("knee", "joint", "centre"): "knee_centre",
    ("talus",): "talus",
    ("talus", "centre"): "talus",
    ("ankle", "centre"): "talus",
    ("ankle", "joint", "centre"): "talus",
    ("hip",): "hip",
    ("knee",): "knee",
    ("ankle",): "ankle",
}


def role_of_name(name: str) -> SidedRole | None:
    """Return side and role that a name says: left_hip, L_Hip and hipL are (LEFT, "hip"); None where it says none."""
    side, words = side_and_words(name)
    role = SPELLINGS.get(tuple("centre" if word == "center" else word for word in words))
    return None if side is None or role is None else (side, role)


def joints_by_role(names: Sequence[str], stated: Sequence[tuple[str, int]] = ()) -> dict[SidedRole, int]:
    """Return the joint of each role that the names or `stated` pairs (role with its side, joint) give.

    A stated role takes the place of the one that the joint's name says. A role that several names say is nobody's.
    """
    stated_joints = {joint for _, joint in stated}
    named = [(role_of_name(name), joint) for joint, name in enumerate(names) if joint not in stated_joints]
    counted = Counter(role for role, _ in named)
    found = {role: joint for role, joint in named if role is not None and counted[role] == 1}
    return found | {role: joint for text, joint in stated if (role := role_of_name(text)) is not None}


def role_text(role: SidedRole) -> str:
    """Return a role with its side as skeletons state it: "left_femoral_head"."""
    return f"{role[0].value}_{role[1]}"
