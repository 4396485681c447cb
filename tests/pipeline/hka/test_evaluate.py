"""Hip-knee-ankle angles through crops and heatmaps: a network that knows the joints, and a real one."""

import json
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache_tools.geometry import Matrix, apply, compose, mirror_matrix
from cache_tools.skeletons import COCO
from pipeline.hka.agreement import measure_agreement
from pipeline.hka.angles import LEG_JOINTS, NOTICE, angle_difference, varus
from pipeline.hka.evaluate import compare_annotated, evaluate_exact, evaluate_network, with_visible_legs
from pipeline.hka.joints import Joints, find_joints
from pipeline.hka.report import evaluation_json, evaluation_markdown
from pipeline.hka.standing_people import StandingPeople, render_people
from pipeline.teachers.load import load_network
from student.inference import Inference
from tests.samples.coco_document import coco_document
from tests.samples.coco_joints import MIRROR
from tests.samples.standing_legs import ExactNetwork


def turned(degrees: float, size: int, mirrored: bool) -> Matrix:
    """Return the matrix (2, 3) that mirrors, or not, and then turns an image of side `size` about its middle."""
    c, s, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), (size - 1) / 2
    rotation = np.array([[c, -s, middle - c * middle + s * middle], [s, c, middle - s * middle - c * middle]])
    return compose(mirror_matrix(size), rotation) if mirrored else rotation


@pytest.fixture(scope="module")
def people() -> StandingPeople:
    return render_people(8, (160, 320), seed=3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 25, 90, 180, -130])
def test_exact_keypoints_give_the_angle_within_a_tenth_of_a_degree(
    people: StandingPeople, degrees: float, mirrored: bool
) -> None:
    rows = people.height == 320
    moves = turned(degrees, 320, mirrored)
    images = [
        np.asarray(cv2.warpAffine(people.image[row], moves, (320, 320)), np.uint8) for row in np.flatnonzero(rows)
    ]
    keypoints = apply(moves, people.keypoints[rows])
    keypoints = keypoints[:, MIRROR] if mirrored else keypoints
    # a body is larger than its joints
    low, high = keypoints.min(1) - 15, keypoints.max(1) + 15
    boxes = np.concatenate([low, high - low], axis=1)
    found = varus(find_joints(ExactNetwork(keypoints, boxes), images, boxes, Inference(flip=False)).xy)
    truth = varus(people.keypoints[rows])
    # both signs on both legs
    assert (truth.min(0) < -2).all()
    assert (truth.max(0) > 2).all()
    assert np.abs(found - (truth[:, ::-1] if mirrored else truth)).max() < 0.1


def test_rendered_people_have_the_requested_axis_and_coco_keypoints_another(people: StandingPeople) -> None:
    result = evaluate_exact(people, COCO)
    found = measure_agreement(result.rendered[320]["axis"])
    assert np.abs(people.axis).max() <= 15.01
    assert found.bias is not None
    assert found.sd is not None
    # a COCO hip is not the femoral head
    assert 1.5 < found.bias < 5
    assert 0.5 < found.sd < 4
    assert result.calibration is not None
    assert result.calibration.residual_rms < result.calibration.uncorrected_rms


def test_boxes_of_legs_show_them_larger_and_the_same_angles(people: StandingPeople) -> None:
    boxes = people.leg_boxes()
    legs = people.centres[:, LEG_JOINTS].reshape(len(boxes), -1, 2)
    assert ((legs >= boxes[:, None, :2]) & (legs <= (boxes[:, :2] + boxes[:, 2:])[:, None])).all()
    assert (boxes[:, 3] < 0.65 * people.box[:, 3]).all()
    found = evaluate_network(
        ExactNetwork(people.keypoints, boxes), people, None, None, Inference(flip=False), boxes="legs"
    )
    for of_height in found.rendered.values():
        error = measure_agreement(of_height["keypoints"]).mean_absolute
        assert error is not None
        assert error < 0.1


def test_a_real_network_is_measured_against_both_truths(shared_data: Path, people: StandingPeople) -> None:
    teacher = load_network(f"onnx:{shared_data}/teachers/tinypose_256x192.onnx?frame=stride", threads=1)
    result = evaluate_network(teacher, people, None, None, Inference())
    agreement = measure_agreement(result.rendered[320]["keypoints"])
    assert agreement.correlation is not None
    assert agreement.correlation > 0.8
    # the stated uncertainty is right
    assert agreement.inside_own_95 is not None
    assert agreement.inside_own_95 > 0.8
    assert "mechanical axis" in evaluation_markdown([result])
    written = json.loads(json.dumps(evaluation_json([result], {})))
    assert written["notice"] == NOTICE
    assert len(written["models"][0]["pairs"]["rendered 320 axis"]) == 16


def test_ground_truth_as_the_network_has_no_error_on_real_persons(shared_data: Path) -> None:
    """Crops, heatmaps, decoding and angles of COCO persons, by a network that draws their annotations."""
    annotated = with_visible_legs(shared_data / "coco/person_keypoints_val.json")
    persons = annotated.persons
    assert len(persons) > 40
    assert (persons.visibility[:, LEG_JOINTS] == 2).all()
    network = ExactNetwork(persons.keypoints, persons.box)
    legs = evaluate_network(network, None, annotated, shared_data / "coco/val", Inference(flip=False)).photos
    assert sum(len(c.found) for c in legs.values()) == 2 * len(persons)
    for comparison in legs.values():
        error = np.abs(angle_difference(comparison.measured.found, comparison.measured.truth))
        assert len(error) > 10
        assert np.median(error) < 0.1
        # degrees; legs a few pixels long are among them
        assert np.quantile(error, 0.95) < 1
    exact = Joints(
        xy=persons.keypoints,
        score=np.ones((len(persons), 17)),
        covariance=np.full((len(persons), 17, 2, 2), np.nan),
    )
    for comparison in compare_annotated(exact, annotated).values():
        # no side is lateral where the hips are on one line with the ankle
        assert measure_agreement(comparison).refused <= 1
        np.testing.assert_array_equal(comparison.found, comparison.truth)


def test_too_few_legs_give_no_calibration_and_no_limits() -> None:
    people = render_people(1, (80,))
    evaluation = evaluate_exact(people, COCO)
    assert evaluation.calibration is None
    table = evaluation_markdown([evaluation])
    assert re.search(
        r"\| exact keypoints +\| COCO's points +\| rendered, 80 px +\| mechanical axis +\| +2 \| +0 \| +- \|", table
    )


def test_a_file_without_visible_legs_is_refused(tmp_path: Path) -> None:
    document = coco_document()
    for annotation in document["annotations"]:
        annotation["keypoints"][2::3] = [1] * 17
    (tmp_path / "persons.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="none of the 4 persons"):
        with_visible_legs(tmp_path / "persons.json")
