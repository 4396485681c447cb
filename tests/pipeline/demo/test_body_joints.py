"""Joints of other skeletons in the rendered body: the same photos, true joint centres, and refusals by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.annotations.annotation_file import read_annotation_file
from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from pipeline.commands.demo_data import command
from pipeline.demo.body import load_body
from pipeline.demo.body_joints import body_joints
from pipeline.demo.dataset import write_dataset
from pipeline.demo.labels import label
from pipeline.demo.levels import LEVELS, sample_scene
from pipeline.demo.people import sample_person
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.standing import make_standing

MECHANICAL = load_skeleton("mechanical")
TRAIN = "annotations/person_keypoints_train.json"


def test_centres_are_where_the_bones_begin_and_other_joints_are_cocos() -> None:
    person, bones = sample_person(RandomStream(1), "walk", 20.0), load_body().bones
    points = body_joints(MECHANICAL).of_person(person)
    for name, bone in (("left_femoral_head", "uleg.L"), ("right_knee_centre", "lleg.R"), ("left_talus", "foot.L")):
        np.testing.assert_array_equal(points[MECHANICAL.names.index(name)], person.joints[bones[bone]])
    np.testing.assert_array_equal(points[:11], person.keypoints[:11])
    np.testing.assert_array_equal(body_joints(COCO).of_person(person), person.keypoints)
    # a femoral head is some centimetres from COCO's hip
    distance = np.linalg.norm(points - person.keypoints, axis=1)[11:]
    assert ((distance > 0.002) & (distance < 0.06)).all()


def test_labels_of_standing_people_have_the_angle_of_their_axis() -> None:
    standing = make_standing(2, (170, 190), (480, 480), yaw_sd=0.0)
    hip, knee, ankle = np.moveaxis(standing.centres, 1, 0)
    thigh, shank = knee - hip, ankle - knee
    turn = np.degrees(np.arctan2(thigh[:, 0] * shank[:, 1] - thigh[:, 1] * shank[:, 0], (thigh * shank).sum(1)))
    # image y points down and the person's left is at larger x; the camera sees the axis from the front
    assert turn * [1, -1] == pytest.approx([10, -10], abs=2.5)
    ankles = standing.label.keypoints[15:, :2]
    assert np.linalg.norm(standing.centres[:, 2] - ankles, axis=1).max() < 15


def test_scenes_are_labelled_with_the_requested_joints() -> None:
    scene = sample_scene(RandomStream(3, 1), LEVELS["easy"])
    names = ("talus_l", "talus_r", "L_Wrist")
    whole, legs = label(scene, MECHANICAL), label(scene, Skeleton(names=names))
    assert whole.keys() == legs.keys()
    places = [MECHANICAL.names.index(name) for name in ("left_talus", "right_talus", "left_wrist")]
    for number, found in legs.items():
        np.testing.assert_array_equal(found.keypoints, whole[number].keypoints[places])


def test_only_the_labels_of_a_data_set_differ(tmp_path: Path) -> None:
    write_dataset(tmp_path / "coco", 6, seed=5, val_persons=3)
    write_dataset(tmp_path / "mechanical", 6, seed=5, val_persons=3, skeleton=MECHANICAL)
    photos = {
        kind: {str(p.relative_to(tmp_path / kind)): p.read_bytes() for p in (tmp_path / kind).glob("*/*.jpg")}
        for kind in ("coco", "mechanical")
    }
    assert photos["coco"] == photos["mechanical"]
    assert len(photos["coco"]) >= 5
    coco, mechanical = (json.loads((tmp_path / kind / TRAIN).read_text()) for kind in photos)
    assert coco["images"] == mechanical["images"]
    for one, other in zip(coco["annotations"], mechanical["annotations"], strict=True):
        assert {k: v for k, v in one.items() if "keypoints" not in k} == {
            k: v for k, v in other.items() if "keypoints" not in k
        }
        # the annotator leaves out the same joints, and errs by the same share of a sigma
        assert one["keypoints"][2:33:3] == other["keypoints"][2:33:3]
        assert one["keypoints"][:33] == other["keypoints"][:33]
    table = read_annotation_file(tmp_path / "mechanical" / TRAIN)
    assert table.skeleton == MECHANICAL
    assert len(table.instances()) >= 6


def test_the_command_takes_a_built_in_skeleton_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "ankles.yaml").write_text("keypoints: [a, b]\nroles: {left_talus: a, right_talus: b}\n")
    for reference in ("mechanical", str(tmp_path / "ankles.yaml")):
        out = tmp_path / Path(reference).stem
        arguments = [str(out), "--persons", "1", "--workers", "1", "--no-noise", "--skeleton", reference]
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert "labelled persons" in result.output
        category = json.loads((out / TRAIN).read_text())["categories"][0]
        assert category["keypoints"] == list(load_skeleton(reference).names)
    with pytest.raises(ValueError, match=r"unknown skeleton 'mechanic': expected .* mechanical"):
        CliRunner().invoke(
            command, [str(tmp_path / "x"), "--persons", "1", "--skeleton", "mechanic"], catch_exceptions=False
        )


def test_a_set_of_another_skeleton_in_the_folder_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1, seed=5, skeleton=MECHANICAL)
    assert json.loads((tmp_path / "demo.json").read_text())["arguments"]["skeleton"]["name"] == "mechanical"
    assert write_dataset(tmp_path, 1, seed=5, skeleton=MECHANICAL) is None
    with pytest.raises(ValueError, match=r"skeleton mechanical \(nose, .*\), requested None"):
        write_dataset(tmp_path, 1, seed=5)


@pytest.mark.parametrize(
    ("skeleton", "message"),
    [
        ({"names": ("nose", "neck", "left_heel")}, "rendered people have no neck, left_heel of skeleton custom"),
        ({"names": ("nose",), "fields": ("foot_kpts",)}, "expected one, `keypoints`"),
    ],
)
def test_joints_that_the_body_does_not_have_are_refused(tmp_path: Path, skeleton: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "out", 1, skeleton=Skeleton(**skeleton))
    assert not (tmp_path / "out").exists()


def test_a_stated_role_says_which_joint_it_is() -> None:
    skeleton = Skeleton(names=("a", "b", "left_hip"), roles=(("right_knee", 0), ("left_femoral_head", 2)))
    with pytest.raises(ValueError, match="have no b"):
        body_joints(skeleton)
    places = body_joints(Skeleton(names=("a", "left_hip"), roles=(("right_knee", 0), ("left_femoral_head", 1)))).place
    assert places.tolist() == [14, 17 + load_body().bones["uleg.L"]]
