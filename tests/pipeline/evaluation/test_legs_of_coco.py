"""Legs of six joints, in another order and of other names, category 7: TinyPose by name on all persons of COCO val."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.evaluation import EvaluationResult, evaluate
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.pose_network import Maps, PoseNetwork
from tests.pipeline.evaluation.test_any_skeleton import OF_COCO, legs_only
from tests.pipeline.evaluation.test_coco_ap import by_faster_coco_eval
from tests.samples.coco_document import LEGS
from tests.samples.remembering_network import RememberingNetwork

# with test_evaluation.py, which evaluates the same network on the same persons
pytestmark = pytest.mark.xdist_group("tinypose")


@pytest.fixture(scope="module")
def tinypose(shared_data: Path, tinypose_maps: dict[bytes, Maps]) -> PoseNetwork:
    file = shared_data / "teachers" / "tinypose_256x192.onnx"
    return RememberingNetwork(load_network(f"onnx:{file}?frame=stride&skeleton=coco", threads=1), tinypose_maps)


@pytest.fixture(scope="module")
def legs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CocoLabels:
    document = json.loads((shared_data / "coco" / "person_keypoints_val.json").read_text())
    path = tmp_path_factory.mktemp("legs") / "legs_val.json"
    path.write_text(json.dumps(legs_only(document, LEGS)))
    return CocoLabels(path)


def evaluated(network: PoseNetwork, labels: Path | CocoLabels, photos: Path, *, flip: bool) -> EvaluationResult:
    inference = Inference(flip=flip, device="cpu", batch_size=64)
    return evaluate(network, labels, photos, inference=inference, progress=False)


@pytest.mark.parametrize(("flip", "ap"), [(False, 67.0), (True, 69.0)])
def test_ap_and_keypoints(tinypose: PoseNetwork, legs: CocoLabels, shared_data: Path, flip: bool, ap: float) -> None:
    photos = shared_data / "coco" / "val"
    on_legs = evaluated(tinypose, legs, photos, flip=flip)
    assert on_legs.metrics.protocol.persons == 273
    assert on_legs.metrics.percent("AP") == pytest.approx(ap, abs=0.05)
    theirs = by_faster_coco_eval(legs.document(), on_legs.results, [0.089, 0.087, 0.107] * 2)
    ours = [-1.0 if value is None else value for value in on_legs.metrics.numbers.values()]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    of_17 = evaluated(tinypose, shared_data / "coco" / "person_keypoints_val.json", photos, flip=flip)
    whole = {tuple(np.reshape(pose["keypoints"], (17, 3))[OF_COCO].ravel()) for pose in of_17.results}
    assert {tuple(pose["keypoints"]) for pose in on_legs.results} <= whole
    assert len(on_legs.results) == 273
