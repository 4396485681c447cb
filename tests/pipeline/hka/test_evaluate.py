"""Hip-knee-ankle angles through crops and heatmaps: an oracle that knows the joints, and a real network."""

import json
import math

import cv2
import numpy as np
import pytest

from cache_tools.coco import MIRROR
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert, mirror_matrix
from pipeline.hka.agreement import measure_agreement
from pipeline.hka.angles import LEG_JOINTS, NOTICE, angle_difference, varus
from pipeline.hka.evaluate import (
    compare_annotated,
    evaluate_exact,
    evaluate_network,
    render_people,
    with_visible_legs,
)
from pipeline.hka.joints import Joints, find_joints
from pipeline.hka.report import evaluation_json, evaluation_markdown
from student.inference import Inference


class Oracle:
    """A network without error: Gaussians at keypoints (N, 17, 2) of images, for boxes asked in the same order."""

    name, digest, licence = "oracle", "0" * 64, "none"
    input_size, heatmap_size, frame, sigma = (256, 192), (64, 48), "udp", 2.0

    def __init__(self, keypoints: np.ndarray, boxes: np.ndarray) -> None:
        to_cells = invert(compose(cell_to_crop(self.frame), crop_to_image(boxes, self.frame)))
        self.waiting = list(apply(to_cells, keypoints))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        y, x = np.mgrid[:64, :48]
        cells = np.array([self.waiting.pop(0) for _ in crops])[..., None, None]
        return np.exp(-((x - cells[:, :, 0]) ** 2 + (y - cells[:, :, 1]) ** 2) / 8).astype(np.float32)


def turned(degrees: float, size: int, mirrored: bool) -> np.ndarray:
    """Matrix (2, 3) that mirrors, or not, and then turns an image of side `size` about its middle."""
    c, s, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), (size - 1) / 2
    rotation = np.array([[c, -s, middle - c * middle + s * middle], [s, c, middle - s * middle - c * middle]])
    return compose(mirror_matrix(size), rotation) if mirrored else rotation


@pytest.fixture(scope="module")
def people():
    return render_people(8, (160, 320), seed=3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 25, 90, 180, -130])
def test_exact_keypoints_give_the_angle_within_a_tenth_of_a_degree(people, degrees, mirrored):
    rows = people.height == 320
    moves = turned(degrees, 320, mirrored)
    images = [cv2.warpAffine(image, moves, (320, 320)) for image in np.array(people.image, object)[rows]]
    keypoints = apply(moves, people.keypoints[rows])
    keypoints = keypoints[:, MIRROR] if mirrored else keypoints
    low, high = keypoints.min(1) - 15, keypoints.max(1) + 15  # a body is larger than its joints
    boxes = np.concatenate([low, high - low], axis=1)
    found = varus(find_joints(Oracle(keypoints, boxes), images, boxes, Inference(flip=False)).xy)
    truth = varus(people.keypoints[rows])
    assert (truth.min(0) < -2).all()
    assert (truth.max(0) > 2).all()  # both signs on both legs
    assert np.abs(found - (truth[:, ::-1] if mirrored else truth)).max() < 0.1


def test_rendered_people_have_the_axis_asked_for_and_coco_keypoints_see_another(people):
    result = evaluate_exact(people)
    found = measure_agreement(result.rendered[320]["axis"])
    assert np.abs(people.axis).max() <= 15.01
    assert 1.5 < found.bias < 5  # a COCO hip is not the femoral head
    assert 0.5 < found.sd < 4
    assert result.calibration is not None
    assert result.calibration.residual_rms < result.calibration.uncorrected_rms


def test_a_real_network_is_measured_against_both_truths(shared_data, people):
    from pipeline.teachers.load import load_network

    teacher = load_network(f"onnx:{shared_data}/teachers/tinypose_256x192.onnx?frame=stride", threads=1)
    result = evaluate_network(teacher, people, None, None, Inference())
    against = {truth: measure_agreement(legs) for truth, legs in result.rendered[320].items()}
    assert against["keypoints"].correlation > 0.8
    assert against["keypoints"].inside_own_95 > 0.8  # the uncertainty stated is honest
    assert "mechanical axis" in evaluation_markdown([result])
    written = json.loads(json.dumps(evaluation_json([result], {})))
    assert written["notice"] == NOTICE
    assert len(written["models"][0]["pairs"]["rendered 320 axis"]) == 16


def test_ground_truth_as_the_network_has_no_error_on_real_persons(shared_data):
    """Crops, heatmaps, decoding and angles of COCO persons, by a network that draws their annotations."""
    persons = with_visible_legs(shared_data / "coco/person_keypoints_val.json")
    assert len(persons) > 40
    assert (persons.visibility[:, LEG_JOINTS] == 2).all()
    oracle = Oracle(persons.keypoints, persons.box)
    legs = evaluate_network(oracle, None, persons, shared_data / "coco/val", Inference(flip=False)).photos
    assert sum(len(c.found) for c in legs.values()) == 2 * len(persons)
    for comparison in legs.values():
        error = np.abs(angle_difference(comparison.measured.found, comparison.measured.truth))
        assert len(error) > 10
        assert np.median(error) < 0.1
        assert np.quantile(error, 0.95) < 1  # degrees; legs a few pixels long are among them
    exact = Joints(
        xy=persons.keypoints,
        score=np.ones((len(persons), 17)),
        covariance=np.full((len(persons), 17, 2, 2), np.nan),
    )
    for comparison in compare_annotated(exact, persons).values():
        assert (
            measure_agreement(comparison).refused <= 1
        )  # no side is lateral where the hips lie on one line with the ankle
        np.testing.assert_array_equal(comparison.found, comparison.truth)
