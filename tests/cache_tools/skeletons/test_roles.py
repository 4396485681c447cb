"""What joints are to an angle: by name or as stated, for each side, and never by number."""

import json
from pathlib import Path

import pytest

from cache_tools.skeletons import COCO, ROLES, Role, Side, Skeleton, built_in_names, load_skeleton, role_of_name

ANONYMOUS = Skeleton(names=("p1", "p2", "p3", "p4"), mirror=(1, 0, 3, 2))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("left_hip", (Side.LEFT, "hip")),
        ("L_Hip", (Side.LEFT, "hip")),
        ("Right Ankle", (Side.RIGHT, "ankle")),
        ("femoral_head_l", (Side.LEFT, "femoral_head")),
        ("right_hip_joint_center", (Side.RIGHT, "femoral_head")),
        ("left_knee_centre", (Side.LEFT, "knee_centre")),
        ("talus_r", (Side.RIGHT, "talus")),
        ("right_ankle_center", (Side.RIGHT, "talus")),
        # of neither side, of both, of another place
        ("hip", None),
        ("hip_centre", None),
        ("left_right_hip", None),
        ("medial_left_knee", None),
        ("left_back_knee", None),
        ("left_heel", None),
    ],
)
def test_the_role_that_a_name_says(name: str, role: tuple[Side, Role] | None) -> None:
    assert role_of_name(name) == role


@pytest.mark.parametrize("name", ["coco", "coco_wholebody", "crowdpose", "mpii", "halpe26"])
def test_bodies_have_hips_knees_and_ankles(name: str) -> None:
    assert {role for _, role in load_skeleton(name).joints_by_role()} == {"hip", "knee", "ankle"}
    assert len(load_skeleton(name).joints_by_role()) == 6


def test_the_mechanical_skeleton_has_the_centres_where_coco_has_hips_knees_and_ankles() -> None:
    mechanical = load_skeleton("mechanical")
    centres = {"hip": "femoral_head", "knee": "knee_centre", "ankle": "talus"}
    translated = {(side, centres[role]): joint for (side, role), joint in COCO.joints_by_role().items()}
    assert mechanical.joints_by_role() == translated
    assert mechanical.names[:11] == COCO.names[:11]
    assert (mechanical.mirror, mechanical.upper, mechanical.lower) == (COCO.mirror, COCO.upper, COCO.lower)
    assert set(map(frozenset, mechanical.edges)) == set(map(frozenset, COCO.edges))
    assert mechanical.sigmas == pytest.approx(COCO.sigmas)


def test_a_role_that_two_names_say_is_nobodys() -> None:
    skeleton = Skeleton(names=("left_hip", "L_Hip", "right_hip"))
    assert skeleton.joints_by_role() == {(Side.RIGHT, "hip"): 2}


def test_a_stated_role_goes_before_the_name(tmp_path: Path) -> None:
    path = tmp_path / "legs.yaml"
    path.write_text(
        "keypoints: [left_hip, right_hip, a, b]\nroles: {femoral_head_l: left_hip, Right Ankle Centre: b}\n"
    )
    skeleton = load_skeleton(str(path))
    assert skeleton.roles == (("left_femoral_head", 0), ("right_talus", 3))
    assert skeleton.joints_by_role() == {
        (Side.LEFT, "femoral_head"): 0, (Side.RIGHT, "hip"): 1, (Side.RIGHT, "talus"): 3
    }  # fmt: skip
    assert Skeleton.from_json(json.loads(json.dumps(skeleton.to_json()))) == skeleton


@pytest.mark.parametrize("name", built_in_names())
def test_a_skeleton_without_stated_roles_says_nothing_of_them(name: str) -> None:
    """A store of such a skeleton keeps the bytes that it had before there were roles."""
    assert "roles" not in load_skeleton(name).to_json()


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"left_elbow": "a"}, "unknown role 'left_elbow': expected left_ or right_ with one of " + ", ".join(ROLES)),
        ({"hip": "a"}, "unknown role 'hip'"),
        ({"left_hip": "c"}, "there is no keypoint 'c'"),
        ({"left_hip": "a", "left_knee": "a"}, "a has two roles"),
        ({"left_hip": "a", "hip_l": "b"}, "a role is stated twice"),
        ({"left_hip": "knee_r"}, "left_hip is knee_r, whose name states the other side"),
        ({"left_hip": "knee_l", "right_hip": "a"}, "knee_l and a are left and right hip and not each other's mirror"),
    ],
)
def test_roles_that_contradict_the_skeleton_are_refused(tmp_path: Path, roles: dict[str, str], message: str) -> None:
    path = tmp_path / "legs.yaml"
    path.write_text(json.dumps({"keypoints": ["a", "b", "knee_l", "knee_r"], "roles": roles}))
    with pytest.raises(ValueError, match=message):
        load_skeleton(str(path))


def test_roles_that_are_no_mapping_and_joints_out_of_range_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("keypoints: [a]\nroles: [left_hip]\n")
    with pytest.raises(ValueError, match="expected names by role"):
        load_skeleton(str(tmp_path / "a.yaml"))
    with pytest.raises(ValueError, match="left_hip is joint 4: expected 0 to 3"):
        Skeleton(names=ANONYMOUS.names, roles=(("left_hip", 4),))
    with pytest.raises(ValueError, match="unknown role 'L_Hip'"):
        Skeleton(names=ANONYMOUS.names, roles=(("L_Hip", 0),))
