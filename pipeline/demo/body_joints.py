"""Where a skeleton's joints are in the rendered body: COCO's keypoints by name, true joint centres by role.

A joint centre is the point that its bones turn around: the femoral head, the knee, the ankle. The angle between them is
the mechanical axis (leg_angles.py).
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import COCO, Role, Side, Skeleton, matching_joints
from pipeline.demo.arithmetic import Floats
from pipeline.demo.body import load_body
from pipeline.demo.people import Person

#: role of a joint centre -> the bone that begins there, and the role of COCO's keypoint near it
CENTRES: dict[Role, tuple[str, Role]] = {
    "femoral_head": ("uleg", "hip"),
    "knee_centre": ("lleg", "knee"),
    "talus": ("foot", "ankle"),
}
LETTER_OF_SIDE = {Side.LEFT: "L", Side.RIGHT: "R"}
FACE = range(5)  # COCO's nose, eyes and ears
# How deep under the skin, in metres, a joint may lie and still be called visible.
DEPTH_UNDER_SKIN = (
    0.05, 0.05, 0.05, 0.07, 0.07, 0.14, 0.14, 0.12, 0.12, 0.11, 0.11, 0.18, 0.18, 0.12, 0.12, 0.1, 0.1
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BodyJoints:
    """The K joints of a skeleton in the rendered body."""

    #: (K,) among COCO's keypoints followed by the starts of the bones
    place: NDArray[np.int64]
    #: (K,) metres
    depth_under_skin: Floats
    #: (K,) whether a joint is labelled only where it is seen
    of_face: NDArray[np.bool_]

    def of_person(self, person: Person) -> Floats:
        """Return the joints (K, 3) in world axes, metres."""
        return np.concatenate([person.keypoints, person.joints])[self.place]


@functools.cache
def body_joints(skeleton: Skeleton) -> BodyJoints:
    """Find the joints of `skeleton` in the rendered body; ValueError where the body does not have one of them."""
    by_role, by_name = _places_by_role(), matching_joints(COCO.names, skeleton.names)
    role_of = {joint: role for role, joint in skeleton.joints_by_role().items()}
    places, depths, missing = [], [], []
    for joint, (name, coco) in enumerate(zip(skeleton.names, by_name, strict=True)):
        place, nearest = by_role[role_of[joint]] if joint in role_of else (coco, coco)
        if place is None or nearest is None:
            missing.append(name)
        else:
            places.append(place)
            depths.append(DEPTH_UNDER_SKIN[nearest])
    if missing:
        raise ValueError(
            f"rendered people have no {', '.join(missing)} of skeleton {skeleton.name}: expected COCO's keypoints and "
            f"centres of the leg's joints ({', '.join(CENTRES)}), by name or by `roles:` of the skeleton's file"
        )
    return BodyJoints(
        place=np.array(places), depth_under_skin=np.array(depths), of_face=np.isin(np.array(places), FACE)
    )


def _places_by_role() -> dict[tuple[Side, Role], tuple[int, int]]:
    """Return the place of each role's joint, as `BodyJoints.place` counts, and COCO's keypoint nearest to it."""
    bones, coco = load_body().bones, COCO.joints_by_role()
    places = {role: (joint, joint) for role, joint in coco.items()}
    for centre, (bone, near) in CENTRES.items():
        for side, letter in LETTER_OF_SIDE.items():
            places[side, centre] = (len(COCO) + bones[f"{bone}.{letter}"], coco[side, near])
    return places
