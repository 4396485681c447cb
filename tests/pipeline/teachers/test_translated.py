"""A network of some joints serves data of other joints, by name; what it does not know is blank and weighs nothing."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from pipeline.teachers.flipped import Flipped
from pipeline.teachers.load import load_network
from pipeline.teachers.oracle import OracleTeacher
from pipeline.teachers.probe import Probed
from pipeline.teachers.translated import log_translation, translated
from pipeline.teachers.wrapped import WrappedNetwork, innermost
from student.batches.live_maps import LiveMaps
from student.pose_network import Crops, Maps
from tests.samples.drawn_store import STREAM
from tests.samples.small_run import write_run

LEGS = Skeleton(
    names=("ankle_l", "knee_l", "hip_l", "ankle_r", "knee_r", "hip_r", "pelvis"),
    mirror=(3, 4, 5, 0, 1, 2, 6),
    name="legs",
)
PLACES = [15, 13, 11, 16, 14, 12]


@pytest.fixture
def crops() -> Crops:
    return np.random.default_rng(0).integers(0, 256, (2, 256, 192, 3)).astype(np.uint8)


def test_maps_are_the_networks_own_by_name_and_blank_where_it_is_silent(crops: Crops) -> None:
    network = OracleTeacher()
    legs = translated(network, LEGS)
    maps, own = legs(crops), network(crops)
    np.testing.assert_array_equal(maps[:, :6], own[:, PLACES])
    assert not maps[:, 6].any()
    assert legs.joints == (*(COCO.names[place] for place in PLACES), None)
    assert (legs.digest, legs.skeleton) == (network.digest, LEGS)


def test_the_flip_test_comes_before_the_translation(crops: Crops) -> None:
    one_leg = Skeleton(names=("hip_l", "knee_l", "ankle_l"))
    assert one_leg.mirror is None
    network = OracleTeacher()
    maps = translated(Flipped(network), one_leg)(crops)
    np.testing.assert_array_equal(maps, Flipped(network)(crops)[:, [11, 13, 15]])


def test_names_that_differ_in_more_than_spelling_are_stated(crops: Crops) -> None:
    heads = Skeleton(names=("femoral_head_l", "knee_l"))
    network = translated(OracleTeacher(), heads, {"femoral_head_l": "left_hip"})
    np.testing.assert_array_equal(network(crops), OracleTeacher()(crops)[:, [11, 13]])
    with pytest.raises(ValueError, match="'left_hipp': did you mean left_hip"):
        translated(OracleTeacher(), heads, {"femoral_head_l": "left_hipp"})


def test_the_same_joints_need_no_translation() -> None:
    network = OracleTeacher()
    assert translated(network, COCO) is network
    assert network.joints is None


def test_a_network_that_does_not_say_its_joints_serves_cocos_only(crops: Crops) -> None:
    class Silent(OracleTeacher):
        def __init__(self) -> None:
            super().__init__()
            self.skeleton = None

        def __call__(self, crops: Crops) -> Maps:
            return np.zeros((len(crops), 17, 64, 48), np.float32)

    network = Silent()
    assert translated(network, COCO) is network
    for skeleton in (LEGS, load_skeleton("ap10k")):
        with pytest.raises(ValueError, match="does not say which joints its heatmaps are of"):
            translated(network, skeleton)


def test_a_network_without_a_common_joint_is_refused() -> None:
    with pytest.raises(ValueError, match="knows no joint of hand21"):
        translated(OracleTeacher(), load_skeleton("hand21"))


def test_the_map_of_joints_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pipeline"):
        log_translation(translated(OracleTeacher(), LEGS))
    assert "knows 6 of 7 keypoints of legs; ankle_l=left_ankle" in caplog.text
    assert caplog.text.strip().endswith("not pelvis")


def test_references_without_a_network_have_every_joint_of_the_data(crops: Crops) -> None:
    for reference in ("none", "oracle"):
        network = load_network(reference, skeleton=LEGS)
        assert network(crops).shape == (2, 7, 64, 48)
        assert network.joints is None


def test_what_is_around_a_network_states_what_it_states(tmp_path: Path) -> None:
    write_run(tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(run | {"categories": [1, 3]}))
    student = load_network(f"student:{tmp_path}", "cpu")
    for network in (translated(student, LEGS), Flipped(student), Flipped(translated(student, LEGS)), Probed(student)):
        assert isinstance(network, WrappedNetwork)
        assert (network.categories, network.dtype, network.device) == ((1, 3), "float32", "cpu")
        assert (network.digest, network.name, network.frame) == (student.digest, student.name, student.frame)
        assert innermost(network) is student
    silent = Flipped(OracleTeacher())
    assert (silent.categories, silent.dtype, silent.device) == ((1,), "unstated", "unstated")


def test_the_joints_that_a_network_knows_pass_through_the_flip_test() -> None:
    legs = translated(OracleTeacher(), LEGS)
    assert Flipped(legs).joints == legs.joints
    settings = replace(STREAM, live=True)
    for network in (legs, translated(Flipped(OracleTeacher()), LEGS)):
        assert LiveMaps(network, settings, torch.device("cpu")).known_joints == (*[True] * 6, False)
    assert all(LiveMaps(OracleTeacher(), settings, torch.device("cpu")).known_joints)
