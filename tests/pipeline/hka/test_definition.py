"""Which angle a skeleton measures, what is refused, and that joints of another order and name give the same angles."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from pipeline.hka.angles import measure_angles
from pipeline.hka.coco_places import measured_network
from pipeline.hka.definition import define_angle
from pipeline.hka.evaluate import EXACT_CENTRES, evaluate_exact, evaluate_network, with_visible_legs
from pipeline.hka.joints import find_joints
from pipeline.hka.quality import Limits, find_flags, limits_of
from pipeline.hka.report import evaluation_json, evaluation_markdown
from pipeline.hka.standing_people import render_people
from student.inference import Inference
from student.pose_network import Crops, Maps
from tests.samples.coco_document import coco_document
from tests.samples.standing_legs import ExactNetwork, standing_joints
from tests.samples.still_network import StillNetwork

MECHANICAL = load_skeleton("mechanical")
# right before left, ankle before hip, and an edge of the foot between them
LEGS = Skeleton(
    name="legs",
    names=("talus_r", "toe", "knee_centre_r", "femoral_head_r", "talus_l", "femoral_head_l", "knee_centre_l"),
    mirror=(4, 1, 6, 5, 0, 3, 2),
)
# of LEGS' joints, in COCO's keypoints
IN_COCO = [16, 0, 14, 12, 15, 11, 13]


class LegsNetwork:
    """The still network's joints as another data set has them."""

    joints: tuple[str | None, ...] | None = None

    def __init__(self, skeleton: Skeleton | None = LEGS) -> None:
        self.still = StillNetwork()
        self.name, self.digest, self.licence = "legs", self.still.digest, self.still.licence
        self.input_size, self.heatmap_size = self.still.input_size, self.still.heatmap_size
        self.frame, self.sigma, self.skeleton = self.still.frame, self.still.sigma, skeleton

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, 7, 64, 48)."""
        return self.still(crops)[:, IN_COCO]


@pytest.mark.parametrize(
    ("skeleton", "name", "points"),
    [
        ("coco", "hip-knee-ankle angle of COCO's points", "COCO's points"),
        ("crowdpose", "hip-knee-ankle angle of the points of crowdpose", "points of crowdpose"),
        ("mechanical", "mechanical axis", "true joint centres"),
    ],
)
def test_what_a_built_in_skeleton_measures(skeleton: str, name: str, points: str) -> None:
    angle = define_angle(load_skeleton(skeleton))
    assert (angle.name, angle.points) == (name, points)
    assert angle.is_mechanical == (name == "mechanical axis")
    assert json.loads(json.dumps(angle.to_json()))["joints"]["left_hip"] in load_skeleton(skeleton).names


def test_only_six_true_centres_are_the_mechanical_axis(caplog: pytest.LogCaptureFixture) -> None:
    centres = {"hip": "femoral_head", "knee": "knee_centre", "ankle": "talus"}
    for changed in centres:
        names = [f"{side}_{part if part == changed else centre}" for side in "lr" for part, centre in centres.items()]
        angle = define_angle(Skeleton(name="legs", names=tuple(names)))
        assert not angle.is_mechanical
        assert angle.name == "hip-knee-ankle angle of the points of legs"
        assert angle.joints[f"left_{changed}"] == f"l_{changed}"
        assert f"legs has some true centres of joints, and l_{changed}, r_{changed} by name are" in caplog.text
    caplog.clear()
    stated = Skeleton(names=COCO.names, roles=tuple(
        (f"{side}_{centre}", COCO.names.index(f"{side}_{part}")) for side in ("left", "right")
        for part, centre in centres.items()
    ))  # fmt: skip
    assert define_angle(stated).is_mechanical
    assert define_angle(stated).joints["left_hip"] == "left_hip"
    assert not caplog.text


def test_a_skeleton_of_both_is_measured_by_the_centres_and_one_of_a_part_of_them_by_the_points() -> None:
    both = Skeleton(names=(*COCO.names, *LEGS.names))
    assert define_angle(both).joints["right_knee"] == "knee_centre_r"
    part = Skeleton(names=(*COCO.names, "femoral_head_l", "femoral_head_r"))
    assert not define_angle(part).is_mechanical
    assert define_angle(part).joints["left_hip"] == "left_hip"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (load_skeleton("ap10k").names, "has no left ankle, no right ankle"),
        (("left_hip", "left_knee", "left_ankle"), "has no right hip, no right knee, no right ankle"),
        # a femoral head on one side is not what a hip on the other is
        (("l_femoral_head", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle"), "has no left hip: .* the same of both"),
        (("a", "b"), "it has a, b"),
    ],
)
def test_skeletons_without_both_legs_are_refused_with_what_is_missing(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        define_angle(Skeleton(name="legs", names=names))
    with pytest.raises(ValueError, match=message):
        measured_network(LegsNetwork(Skeleton(name="legs", names=names)))


@pytest.mark.parametrize("flip", [False, True])
def test_joints_of_other_names_and_order_give_the_same_angles(flip: bool) -> None:
    photo, boxes = np.full((256, 192, 3), 90, np.uint8), np.array([[0.0, 0.0, 192.0, 256.0]])
    (coco, of_coco), (legs, of_legs) = measured_network(StillNetwork()), measured_network(LegsNetwork())
    assert (of_coco.is_mechanical, of_legs.is_mechanical) == (False, True)
    inference = Inference(flip=flip, device="cpu")
    expected, found = (find_joints(network, [photo], boxes, inference) for network in (coco, legs))
    angles = [measure_angles(j.xy, j.score, j.covariance, min_score=0.1) for j in (expected, found)]
    np.testing.assert_array_equal(angles[0].varus, angles[1].varus)
    np.testing.assert_array_equal(angles[0].sd, angles[1].sd)
    assert np.isfinite(angles[0].varus).all()
    # LEGS has no shoulders
    assert (found.score[0, 5:7] == 0).all()


def test_a_network_that_does_not_say_its_joints_is_taken_for_cocos() -> None:
    silent = LegsNetwork(None)
    network, angle = measured_network(silent)
    assert network is silent
    assert angle.points == "COCO's points"


def test_exact_joint_centres_have_the_true_axis_where_cocos_are_off() -> None:
    people = render_people(6, (160, 320), seed=1)
    centres, coco = evaluate_exact(people, MECHANICAL), evaluate_exact(people, COCO)
    assert centres.name == EXACT_CENTRES
    errors = [one.rendered[320]["axis"].found - one.rendered[320]["axis"].truth for one in (centres, coco)]
    assert abs(errors[0].mean()) < 1.0
    assert errors[0].std() < 2.0
    assert errors[1].mean() > 2.0
    network = ExactNetwork(people.centres, people.box)
    network.skeleton = MECHANICAL
    measured = evaluate_network(network, people, None, None, Inference(flip=False))
    truths = measured.rendered[320]
    assert set(truths) == {"centres", "axis"}
    # heatmap cells of a few pixels: what is found is what is exact
    assert np.abs(truths["centres"].found - truths["centres"].truth).max() < 0.2
    table = evaluation_markdown([coco, centres, measured])
    assert "| exact joint centres | true joint centres | rendered, 320 px | mechanical axis" in table
    assert "COCO's points: what is found is the hip-knee-ankle angle of these points, which is not" in table
    assert "true joint centres: what is found is the mechanical axis" in table
    written = evaluation_json([coco, measured], {})["models"]
    assert [model["angle"]["name"] for model in written] == [
        "hip-knee-ankle angle of COCO's points", "mechanical axis"
    ]  # fmt: skip


def test_annotated_persons_of_other_joints_are_put_in_the_places_of_cocos(tmp_path: Path) -> None:
    document = coco_document()
    (tmp_path / "coco.json").write_text(json.dumps(document))
    expected = with_visible_legs(tmp_path / "coco.json")
    for category in document["categories"]:
        category["keypoints"] = list(LEGS.names)
        category.pop("skeleton", None)
    for annotation in document["annotations"]:
        triples = np.array(annotation["keypoints"]).reshape(17, 3)[IN_COCO]
        annotation["keypoints"] = triples.ravel().tolist()
        annotation["num_keypoints"] = int((triples[:, 2] > 0).sum())
    (tmp_path / "legs.json").write_text(json.dumps(document))
    found = with_visible_legs(tmp_path / "legs.json")
    assert found.angle.is_mechanical
    np.testing.assert_array_equal(found.persons.keypoints[:, 11:], expected.persons.keypoints[:, 11:])
    assert not found.persons.visibility[:, 5:11].any()
    stated = Skeleton(name="mine", names=LEGS.names, roles=())
    assert with_visible_legs(tmp_path / "legs.json", stated).angle.skeleton == "mine"


def test_centres_have_limits_of_their_own() -> None:
    angle = define_angle(MECHANICAL)
    assert limits_of(define_angle(COCO), 0.2) == Limits(min_score=0.2)
    assert limits_of(angle, 0.2).min_score == 0.2
    # a thigh that is short against the shank, as centres of short persons have it
    points, seen = standing_joints(2, 2, thigh=78, shank=100)[None], np.ones((1, 17))
    assert "knee_bent" in find_flags(points, seen)[0][0]
    assert "knee_bent" not in find_flags(points, seen, limits_of(angle))[0][0]
    assert limits_of(replace(angle, is_mechanical=False)) == Limits()
