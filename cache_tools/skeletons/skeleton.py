"""The keypoints of one kind of body, and what is known of them: mirror order, halves, edges, OKS sigmas.

What is not known is None or empty, and whoever needs it does without: no mirror order, no flips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal

from cache_tools.json_types import read_record
from cache_tools.skeletons.keypoint_names import Side, side_and_words
from cache_tools.skeletons.roles import ROLES, SidedRole, joints_by_role, role_of_name, role_text

# OKS sigma of a joint for which neither its skeleton nor COCO has one
ASSUMED_SIGMA = 0.05
SigmaSource = Literal["stated", "coco", "assumed"]


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The keypoints of one kind of body, numbered in the order of `names`; ValueError where it contradicts itself."""

    names: tuple[str, ...]
    #: joint of the mirrored body for each joint; None: not known
    mirror: tuple[int, ...] | None = None
    #: joints of the upper half, for half-body augmentation; empty: not known
    upper: tuple[int, ...] = ()
    lower: tuple[int, ...] = ()
    #: pairs of joints that are drawn as lines
    edges: tuple[tuple[int, int], ...] = ()
    #: OKS sigma of each joint; None: not known
    sigmas: tuple[float, ...] | None = None
    #: fields of an annotation that hold the keypoints, one after the other
    fields: tuple[str, ...] = ("keypoints",)
    name: str = "custom"
    #: pairs of a role with its side ("left_femoral_head") and a joint, where names do not say the role (roles.py)
    roles: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        """Check that every part agrees with the names and with the others."""
        _check_names(self.names)
        joints = [*self.upper, *self.lower, *(joint for edge in self.edges for joint in edge)]
        wrong = [joint for joint in joints if not 0 <= joint < len(self)]
        if wrong:
            raise ValueError(f"a half or an edge names joint {wrong[0]}: expected 0 to {len(self) - 1}")
        if len(set(self.upper)) < len(self.upper) or len(set(self.lower)) < len(self.lower):
            raise ValueError("a half names a joint twice")
        if both := set(self.upper) & set(self.lower):
            raise ValueError(f"{self.names[min(both)]} is in the upper and in the lower half")
        if not self.fields or len(set(self.fields)) < len(self.fields):
            raise ValueError(f"fields {list(self.fields)}: expected at least one, none twice")
        if self.mirror is not None:
            self._check_mirror(self.mirror)
        if self.sigmas is not None:
            self._check_sigmas(self.sigmas)
        if self.roles:
            self._check_roles()

    def __len__(self) -> int:
        """Return the number of joints."""
        return len(self.names)

    @cached_property
    def sides(self) -> tuple[Side | None, ...]:
        """Side of each joint as its name states it."""
        return tuple(side_and_words(name)[0] for name in self.names)

    def joints_by_role(self) -> dict[SidedRole, int]:
        """Return the joint of each role that the names say or that is stated, as {(Side.LEFT, "hip"): 11, ...}."""
        return joints_by_role(self.names, self.roles)

    def oks_sigmas(self) -> tuple[tuple[float, ...], tuple[SigmaSource, ...]]:
        """Return an OKS sigma for each joint, and where it is from.

        "stated": the skeleton's; "coco": that of COCO's joint of the same name, as data sets of animals take it;
        "assumed": ASSUMED_SIGMA. An AP by assumed sigmas compares only with others of the same sigmas.
        """
        if self.sigmas is not None:
            stated: SigmaSource = "stated"
            return self.sigmas, (stated,) * len(self)
        coco = {side_and_words(name): sigma for name, sigma in zip(COCO.names, COCO.sigmas or (), strict=True)}
        found = [coco.get(side_and_words(name)) for name in self.names]
        sources: tuple[SigmaSource, ...] = tuple("assumed" if sigma is None else "coco" for sigma in found)
        return tuple(ASSUMED_SIGMA if sigma is None else sigma for sigma in found), sources

    def unknown(self) -> tuple[str, ...]:
        """Return what is switched off with this skeleton because it is not known, in words for a message."""
        off = []
        if self.mirror is None:
            off.append("no mirror order: no flips, no flip test")
        if not (self.upper and self.lower):
            off.append("no halves: no half-body views")
        return tuple(off)

    def to_json(self) -> dict[str, Any]:
        """Return the skeleton as JSON's own types; without `roles` where none is stated."""
        document = {key: _lists(value) for key, value in asdict(self).items()}
        if not self.roles:
            del document["roles"]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Skeleton":
        """Return the skeleton that `to_json` wrote; ValueError where the document is none."""
        if not isinstance(document, Mapping) or "names" not in document:
            raise ValueError(f"a skeleton is {document!r:.80}: expected an object with the list `names`")
        unknown = document.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a skeleton has the unknown key {min(unknown)!r}: it was written by a later kdcache")
        return read_record(cls, document, "skeleton")

    def _check_mirror(self, mirror: Sequence[int]) -> None:
        if sorted(mirror) != list(range(len(self))):
            raise ValueError(f"the mirror order {list(mirror)} is no order of {len(self)} joints")
        for joint, other in enumerate(mirror):
            name, other_name = self.names[joint], self.names[other]
            if mirror[other] != joint:
                raise ValueError(f"{name} mirrors to {other_name}, which mirrors to {self.names[mirror[other]]}")
            if (joint in self.upper) != (other in self.upper) or (joint in self.lower) != (other in self.lower):
                raise ValueError(f"{name} and its mirror {other_name} are in different halves")

    def _check_sigmas(self, sigmas: Sequence[float]) -> None:
        if len(sigmas) != len(self):
            raise ValueError(f"there are {len(sigmas)} OKS sigmas: expected {len(self)}, one for each keypoint")
        for name, sigma in zip(self.names, sigmas, strict=True):
            if not (isinstance(sigma, int | float) and 0 < sigma < float("inf")):
                raise ValueError(f"the OKS sigma of {name} is {sigma!r}: expected a number above 0")

    def _check_roles(self) -> None:
        joints = [joint for _, joint in self.roles]
        for text, joint in self.roles:
            role = role_of_name(text)
            if role is None or text != role_text(role):
                raise ValueError(
                    f"unknown role {text!r}: expected left_ or right_ with one of {', '.join(ROLES)}, "
                    "as in left_femoral_head"
                )
            if not 0 <= joint < len(self):
                raise ValueError(f"{text} is joint {joint}: expected 0 to {len(self) - 1}")
            if self.sides[joint] not in (None, role[0]):
                raise ValueError(f"{text} is {self.names[joint]}, whose name states the other side")
            if joints.count(joint) > 1:
                raise ValueError(f"{self.names[joint]} has two roles: expected one")
        stated = dict(self.roles)
        if len(stated) < len(self.roles):
            raise ValueError("a role is stated twice: expected one joint for each")
        for part in ROLES:
            left, right = stated.get(f"left_{part}"), stated.get(f"right_{part}")
            if self.mirror is not None and left is not None and right is not None and self.mirror[left] != right:
                raise ValueError(
                    f"{self.names[left]} and {self.names[right]} are left and right {part} and not each other's mirror"
                )


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ValueError("a skeleton has no keypoints: expected at least one name")
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip():
            raise ValueError(f"a keypoint's name is {name!r}: expected text without blanks around it")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"keypoints {', '.join(twice)} are named twice: expected different names")


def _lists(value: Any) -> Any:
    return [_lists(one) for one in value] if isinstance(value, tuple) else value


# A literal and not a file, because importing YAML would cost every command 80 ms.
COCO = Skeleton(
    name="coco",
    names=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    mirror=(0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15),
    upper=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    lower=(11, 12, 13, 14, 15, 16),
    edges=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    # divided as pycocotools divides them, so that they are equal to the last bit
    sigmas=tuple(
        tenths / 10
        for tenths in (
            0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89,
        )
    ),
)  # fmt: skip
