"""A skeleton agrees with itself or is refused; what is built in is what its sources say."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.cocoeval import Params

from cache_tools.skeletons import ASSUMED_SIGMA, COCO, Side, Skeleton, built_in_names, load_skeleton

LEGS = Skeleton(names=("hip_l", "knee_l", "hip_r", "knee_r"), mirror=(2, 3, 0, 1))


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_skeletons_pair_opposite_sides(name: str) -> None:
    skeleton = load_skeleton(name)
    assert skeleton.name == name
    assert skeleton.mirror is not None
    for joint, other in enumerate(skeleton.mirror):
        sides = {skeleton.sides[joint], skeleton.sides[other]}
        assert sides in ({None}, {Side.LEFT, Side.RIGHT}) or name == "hand21"
    assert Skeleton.from_json(skeleton.to_json()) == skeleton


def test_numbers_of_joints_and_pairs() -> None:
    counted = {name: len(load_skeleton(name)) for name in built_in_names()}
    assert counted == {
        "ap10k": 17, "coco": 17, "coco_wholebody": 133, "crowdpose": 14, "halpe26": 26, "hand21": 21, "mechanical": 17,
        "mpii": 16,
    }  # fmt: skip
    pairs = {name: sum(a != b for a, b in enumerate(load_skeleton(name).mirror or ())) // 2 for name in counted}
    assert pairs == {
        "ap10k": 7, "coco": 8, "coco_wholebody": 61, "crowdpose": 6, "halpe26": 11, "hand21": 0, "mechanical": 8,
        "mpii": 6,
    }  # fmt: skip


def test_coco_has_the_sigmas_of_pycocotools_to_the_bit() -> None:
    assert COCO.sigmas == tuple(Params("keypoints").kpt_oks_sigmas.tolist())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ()}, "at least one name"),
        ({"names": ("a", "a", "b", "c")}, "a are named twice"),
        ({"names": ("a ", "b", "c", "d")}, "without blanks"),
        ({"mirror": (0, 1, 2)}, "no order of 4 joints"),
        ({"mirror": (1, 2, 3, 0)}, "hip_l mirrors to knee_l, which mirrors to hip_r"),
        ({"upper": (0,), "lower": (1,)}, "hip_l and its mirror hip_r are in different halves"),
        ({"upper": (0, 2), "lower": (2, 0)}, "in the upper and in the lower half"),
        ({"upper": (0, 0, 2)}, "a joint twice"),
        ({"edges": ((0, 4),)}, "names joint 4: expected 0 to 3"),
        ({"edges": ((0, -1),)}, "names joint -1"),
        ({"sigmas": (0.1, 0.1)}, "2 OKS sigmas: expected 4"),
        ({"sigmas": (0.1, 0.1, 0.1, 0.0)}, "knee_r is 0.0"),
        ({"sigmas": (0.1, 0.1, 0.1, float("nan"))}, "knee_r is nan"),
        ({"fields": ()}, "at least one"),
    ],
)
def test_a_contradiction_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(LEGS, **change)


@given(st.data())
def test_a_skeleton_of_any_content_is_consistent_or_refused(data: st.DataObject) -> None:
    joint = st.integers(-1, 4)
    try:
        skeleton = Skeleton(
            names=tuple(data.draw(st.lists(st.sampled_from("abcd"), max_size=4))),
            mirror=data.draw(st.none() | st.lists(joint, max_size=4).map(tuple)),
            upper=tuple(data.draw(st.lists(joint, max_size=3))),
            lower=tuple(data.draw(st.lists(joint, max_size=3))),
            edges=tuple(data.draw(st.lists(st.tuples(joint, joint), max_size=2))),
            sigmas=data.draw(st.none() | st.lists(st.floats(-1, 1), max_size=4).map(tuple)),
        )
    except ValueError:
        return
    joints = set(range(len(skeleton)))
    if skeleton.mirror is not None:
        assert {skeleton.mirror[other] for other in skeleton.mirror} == joints
        assert all((j in skeleton.upper) == (m in skeleton.upper) for j, m in enumerate(skeleton.mirror))
    assert joints >= {*skeleton.upper, *skeleton.lower, *(j for edge in skeleton.edges for j in edge)}
    assert all(sigma > 0 for sigma in skeleton.oks_sigmas()[0])
    assert Skeleton.from_json(skeleton.to_json()) == skeleton


def test_sigmas_are_stated_or_cocos_by_name_or_assumed_and_marked() -> None:
    skeleton = Skeleton(names=("L_Hip", "R_Hip", "pelvis"))
    assert skeleton.oks_sigmas() == ((1.07 / 10, 1.07 / 10, ASSUMED_SIGMA), ("coco", "coco", "assumed"))
    assert replace(skeleton, sigmas=(0.1, 0.2, 0.3)).oks_sigmas() == ((0.1, 0.2, 0.3), ("stated",) * 3)


def test_what_is_not_known_is_told() -> None:
    assert COCO.unknown() == ()
    assert len(Skeleton(names=("a", "b")).unknown()) == 2
    assert LEGS.unknown() == ("no halves: no half-body views",)
