"""Names of keypoints as 36 data sets write them: sides, mirror pairs, the same joint in two data sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_tools.skeletons import Side, matching_joints, mirror_of_names, side_and_words


@pytest.mark.parametrize(
    ("name", "side", "words"),
    [
        ("left_eye", Side.LEFT, ("eye",)),
        ("L_Eye", Side.LEFT, ("eye",)),
        ("eyeL", Side.LEFT, ("eye",)),
        ("Eye_Left", Side.LEFT, ("eye",)),
        ("Right Ankle", Side.RIGHT, ("ankle",)),
        ("Right-ankle", Side.RIGHT, ("ankle",)),
        ("Ankle_Left ", Side.LEFT, ("ankle",)),
        ("forelegL1", Side.LEFT, ("foreleg", "1")),
        ("medial_right_knee", Side.RIGHT, ("medial", "knee")),
        ("femoral_head_l", Side.LEFT, ("femoral", "head")),
        ("nose", None, ("nose",)),
        ("left_of_right_eye", None, ("left", "of", "right", "eye")),
        ("Nearknee", None, ("nearknee",)),
        ("face-0", None, ("face", "0")),
        ("17", None, ("17",)),
    ],
)
def test_side_and_words(name: str, side: Side | None, words: tuple[str, ...]) -> None:
    assert side_and_words(name) == (side, words)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["nose", "left_eye", "right_eye"], (0, 2, 1)),
        (["L_Hip", "R_Hip", "pelvis"], (1, 0, 2)),
        (["hipL", "kneeL", "hipR", "kneeR"], (2, 3, 0, 1)),
        (["Left Hip", "Right Hip"], (1, 0)),
        (["forelegL1", "forelegR1", "forelegL2", "forelegR2"], (1, 0, 3, 2)),
        (["medial_left_knee", "medial_right_knee", "lateral_left_knee", "lateral_right_knee"], (1, 0, 3, 2)),
        # a data set of left legs must not be mirrored
        (["left_hip", "left_knee"], None),
        (["left_hip", "right_hip", "left_knee"], None),
        # no side anywhere
        (["Nearknee", "Offknee"], None),
        (["wrist", "thumb1", "thumb2", "thumb3"], None),
        # numbers say nothing of each other, and one pair beside them does not change that
        (["face-0", "face-1", "face-2", "left_eye", "right_eye"], None),
        ([str(number) for number in range(1, 295)], None),
        ([f"kpt-{number}" for number in range(21)], None),
        # the same words in another spelling
        (["left_eye", "LEFT eye", "right_eye"], None),
    ],
)
def test_mirror_of_names(names: list[str], order: tuple[int, ...] | None) -> None:
    assert mirror_of_names(names) == order


PARTS = st.sampled_from(["hip", "knee", "paw", "face", "l", "r", "left", "right", "L", "R", "1", "2", "12", "head"])
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("_".join), min_size=1, max_size=12, unique=True)


@given(NAMES)
def test_a_mirror_order_is_its_own_inverse_and_exchanges_sides_or_is_not_known(names: list[str]) -> None:
    order = mirror_of_names(names)
    if order is None:
        return
    assert [order[other] for other in order] == list(range(len(names)))
    for joint, other in enumerate(order):
        one, two = side_and_words(names[joint]), side_and_words(names[other])
        if one[0] is not None:
            assert one[1] == two[1]
            assert {one[0], two[0]} == {Side.LEFT, Side.RIGHT}


def test_joints_match_by_side_and_words_and_never_by_place() -> None:
    source = ["nose", "left_hip", "right_hip", "left_ankle"]
    assert matching_joints(source, ["R_Hip", "ankleL", "pelvis", "nose"]) == (2, 3, None, 0)


def test_two_joints_of_one_spelling_match_nothing_but_their_equals() -> None:
    assert matching_joints(["hip_l", "left_hip"], ["L_Hip", "left_hip"]) == (None, 1)


def test_a_stated_name_goes_first() -> None:
    renamed = {"femoral_head_l": "left_hip"}
    assert matching_joints(["left_hip", "left_knee"], ["femoral_head_l", "knee_l"], renamed) == (0, 1)


def test_a_stated_name_that_is_not_there_names_near_ones() -> None:
    with pytest.raises(ValueError, match=r"'left_hipp': did you mean left_hip"):
        matching_joints(["left_hip"], ["femoral_head_l"], {"femoral_head_l": "left_hipp"})
    with pytest.raises(ValueError, match="'pelvis': expected one of femoral_head_l"):
        matching_joints(["left_hip"], ["femoral_head_l"], {"pelvis": "left_hip"})
