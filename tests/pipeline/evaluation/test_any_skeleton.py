"""Evaluation of labels whose joints are not COCO's seventeen: renamed, in another order, of two categories, unknown."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.geometry import crop_to_image
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.evaluation.evaluation import EvaluationResult, evaluate, evaluate_store
from pipeline.evaluation.matched_network import known_joints, match_network
from pipeline.evaluation.metrics_file import SigmaProtocol
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.load import load_network
from pipeline.teachers.translated import translated
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import read_crops
from tests.pipeline.evaluation.test_coco_ap import by_faster_coco_eval
from tests.samples.coco_document import LEGS
from tests.samples.remembering_network import RememberingNetwork
from tests.samples.small_store import write_maps

WITHOUT_FLIP = Inference(flip=False, device="cpu")
WITH_FLIP = Inference(flip=True, device="cpu")
#: COCO's joint of each of LEGS
OF_COCO = [15, 13, 11, 16, 14, 12]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> str:
    return f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"


@pytest.fixture(scope="module")
def tinypose(reference: str) -> PoseNetwork:
    """Return a network that says that its joints are COCO's."""
    return RememberingNetwork(load_network(f"{reference}&skeleton=coco", threads=1))


@pytest.fixture(scope="module")
def photos(shared_cases: Path) -> Path:
    return shared_cases / "base" / "img"


@pytest.fixture(scope="module")
def labels_17(shared_cases: Path) -> Path:
    return shared_cases / "base" / "val.json"


def legs_only(document: Document, names: list[str]) -> Document:
    """Return COCO's document with six joints of the legs and, for further names, joints that nobody has labelled."""
    legs = copy.deepcopy(document)
    legs["categories"] = [{"id": 3, "name": "empty"}, {"id": 7, "name": "legs", "keypoints": names}]
    for annotation in legs["annotations"]:
        keypoints = np.array(annotation["keypoints"]).reshape(17, 3)[OF_COCO]
        more = np.tile([[50, 60, 2]], (len(names) - 6, 1)).reshape(-1, 3)
        annotation |= {"category_id": 7, "keypoints": np.concatenate([keypoints, more]).ravel().tolist()}
        del annotation["num_keypoints"]
    return legs


@pytest.fixture(scope="module")
def document(labels_17: Path) -> Document:
    return dict(json.loads(labels_17.read_text()))


@pytest.fixture(scope="module")
def legs(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("legs") / "legs.json"
    path.write_text(json.dumps(legs_only(document, LEGS)))
    return path


@pytest.fixture(scope="module")
def on_legs(tinypose: PoseNetwork, legs: Path, photos: Path) -> EvaluationResult:
    return evaluate(tinypose, legs, photos, inference=WITHOUT_FLIP, progress=False)


def test_six_renamed_joints_are_those_of_the_seventeen_joint_run(
    on_legs: EvaluationResult, tinypose: PoseNetwork, labels_17: Path, photos: Path
) -> None:
    of_17 = evaluate(tinypose, labels_17, photos, inference=WITHOUT_FLIP, progress=False)
    by_image: dict[int, list[np.ndarray]] = {}
    for pose in of_17.results:
        by_image.setdefault(pose["image_id"], []).append(np.array(pose["keypoints"]).reshape(17, 3)[OF_COCO])
    for pose in on_legs.results:
        found = np.array(pose["keypoints"]).reshape(6, 3)
        assert any(np.array_equal(found, other) for other in by_image[pose["image_id"]])
    for name, joint in zip(LEGS, OF_COCO, strict=True):
        assert on_legs.metrics.per_joint[name] == of_17.metrics.per_joint[COCO.names[joint]]


def test_the_ten_numbers_are_those_of_faster_coco_eval(on_legs: EvaluationResult, legs: Path) -> None:
    sigmas = [0.089, 0.087, 0.107] * 2
    theirs = by_faster_coco_eval(CocoLabels(legs).document(), on_legs.results, sigmas)
    ours = [-1.0 if value is None else value for value in on_legs.metrics.numbers.values()]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert 0.2 < ours[0] < 1


def test_the_protocol_says_which_joints_and_sigmas(on_legs: EvaluationResult) -> None:
    protocol = on_legs.metrics.protocol
    assert (protocol.skeleton, protocol.categories, protocol.joints) == ("legs", (7,), "all")
    assert protocol.oks_sigmas["hip_r"] == SigmaProtocol(sigma=COCO.oks_sigmas()[0][12], source="coco")
    assert protocol.renamed_joints["ankle_l"] == "left_ankle"
    assert protocol.unknown_joints == ()
    assert {pose["category_id"] for pose in on_legs.results} == {7}
    assert [*on_legs.metrics.per_joint] == ["all", *LEGS]
    assert not any("sigmas" in note for note in on_legs.metrics.notes)


def test_the_flip_test_exchanges_the_network_s_own_joints(
    tinypose: PoseNetwork, document: Document, photos: Path, tmp_path: Path
) -> None:
    """A data set of one leg has no mirror order, and still both passes."""
    left = tmp_path / "left.json"
    one_leg = legs_only(document, LEGS)
    one_leg["categories"][1]["keypoints"] = LEGS[:3]
    for annotation in one_leg["annotations"]:
        annotation["keypoints"] = annotation["keypoints"][:9]
    left.write_text(json.dumps(one_leg))
    labels = CocoLabels(left)
    assert labels.skeleton.mirror is None
    flipped = evaluate(tinypose, labels, photos, inference=WITH_FLIP, progress=False).metrics
    plain = evaluate(tinypose, labels, photos, inference=WITHOUT_FLIP, progress=False).metrics
    assert (flipped.protocol.flip, plain.protocol.flip) == (True, False)
    assert flipped.per_joint["ankle_l"] != plain.per_joint["ankle_l"]


def test_joints_that_the_network_does_not_know_count_as_missed_unless_common(
    tinypose: PoseNetwork, document: Document, photos: Path, on_legs: EvaluationResult, tmp_path: Path
) -> None:
    path = tmp_path / "toes.json"
    path.write_text(json.dumps(legs_only(document, [*LEGS, "toe_l", "toe_r"])))
    missed = evaluate(tinypose, path, photos, inference=WITHOUT_FLIP, progress=False).metrics
    assert missed.protocol.unknown_joints == ("toe_l", "toe_r")
    assert "does not know 2 of 8 joints (toe_l, toe_r): they count as missed" in missed.notes[-1]
    assert "OKS sigmas of toe_l, toe_r are assumed (0.05)" in missed.notes[-2]
    assert missed.AP is not None
    assert on_legs.metrics.AP is not None
    assert missed.AP < on_legs.metrics.AP
    assert missed.per_joint["toe_l"].labelled > 0
    common = evaluate(tinypose, path, photos, inference=WITHOUT_FLIP, common=True, progress=False).metrics
    assert common.protocol.joints == "common"
    assert "does not know 2 of 8 joints (toe_l, toe_r): only the others are scored" in common.notes[-1]
    assert common.numbers == on_legs.metrics.numbers
    assert common.per_joint == on_legs.metrics.per_joint


def test_a_store_whose_teacher_does_not_know_all_joints(
    tinypose: PoseNetwork, document: Document, photos: Path, on_legs: EvaluationResult, tmp_path: Path
) -> None:
    path = tmp_path / "toes.json"
    path.write_text(json.dumps(legs_only(document, [*LEGS, "toe_l", "toe_r"])))
    labels = CocoLabels(path)
    persons = labels.persons
    network = translated(tinypose, labels.skeleton)
    crops = read_crops(
        [photos / name for name in persons.file_name], crop_to_image(persons.box, "stride"), tinypose.input_size
    )
    teacher = TeacherSpec("tinypose", tinypose.digest, joints=network.joints)
    spec = make_spec(
        persons, teacher, skeleton=labels.skeleton, categories=(7,), frame=FrameSpec("stride"), codec="float16"
    )
    store = HeatmapStore.create(tmp_path / "toes.zarr", spec, persons)
    write_maps(store, 0, network(np.stack(list(crops))))
    store.finalize()
    store = HeatmapStore.open(tmp_path / "toes.zarr")
    missed, common = (evaluate_store(store, path, common=common, device="cpu").metrics for common in (False, True))
    assert missed.protocol.unknown_joints == common.protocol.unknown_joints == ("toe_l", "toe_r")
    assert (missed.protocol.joints, common.protocol.joints) == ("all", "common")
    assert common.protocol.renamed_joints == on_legs.metrics.protocol.renamed_joints
    assert pytest.approx(common.AP, abs=0.01) == on_legs.metrics.AP
    assert missed.AP is not None
    assert common.AP is not None
    assert missed.AP < common.AP


def test_where_all_joints_are_known_common_is_all(
    tinypose: PoseNetwork, legs: Path, photos: Path, on_legs: EvaluationResult
) -> None:
    common = evaluate(tinypose, legs, photos, inference=WITHOUT_FLIP, common=True, progress=False).metrics
    assert common.protocol.joints == "all"
    assert common.numbers == on_legs.metrics.numbers


def test_other_names_are_put_together_by_the_user(
    tinypose: PoseNetwork, document: Document, photos: Path, on_legs: EvaluationResult, tmp_path: Path
) -> None:
    path = tmp_path / "femur.json"
    names = [name.replace("hip", "femoral_head") for name in LEGS]
    path.write_text(json.dumps(legs_only(document, names)))
    renamed = {"femoral_head_l": "left_hip", "femoral_head_r": "right_hip"}
    found = evaluate(tinypose, path, photos, inference=WITHOUT_FLIP, renamed=renamed, progress=False).metrics
    assert found.protocol.renamed_joints["femoral_head_l"] == "left_hip"
    assert found.protocol.oks_sigmas["femoral_head_l"].source == "assumed"
    assert found.per_joint["femoral_head_l"].NME == on_legs.metrics.per_joint["hip_l"].NME
    with pytest.raises(ValueError, match="there is no keypoint 'left_hop'"):
        evaluate(tinypose, path, photos, inference=WITHOUT_FLIP, renamed={"femoral_head_l": "left_hop"})


def test_a_translated_network_is_scored_on_the_joints_that_it_knows(
    tinypose: PoseNetwork, document: Document, photos: Path, on_legs: EvaluationResult, tmp_path: Path
) -> None:
    """As `kdcache build --expect-ap` evaluates a teacher whose joints have other names."""
    path = tmp_path / "femur.json"
    names = [name.replace("hip", "femoral_head") for name in LEGS]
    path.write_text(json.dumps(legs_only(document, [*names, "toe_l"])))
    renamed = {"femoral_head_l": "left_hip", "femoral_head_r": "right_hip"}
    network = translated(tinypose, CocoLabels(path).skeleton, renamed)
    for one, more in ((network, {}), (tinypose, renamed)):
        found = evaluate(one, path, photos, inference=WITHOUT_FLIP, renamed=more, common=True, progress=False).metrics
        assert found.protocol.joints == "common"
        assert found.protocol.renamed_joints["femoral_head_l"] == "left_hip"
        assert found.per_joint["femoral_head_l"].NME == on_legs.metrics.per_joint["hip_l"].NME


def test_a_network_that_does_not_say_its_joints_is_for_coco_s_only(reference: str, legs: Path, photos: Path) -> None:
    network = load_network(reference, threads=1)
    with pytest.raises(ValueError, match="does not say which joints its heatmaps are of"):
        evaluate(network, legs, photos, inference=WITHOUT_FLIP)


def test_other_seventeen_names_are_not_taken_for_coco_s(
    tinypose: PoseNetwork, reference: str, shared_cases: Path, photos: Path
) -> None:
    labels = CocoLabels(shared_cases / "order" / "posetrack18.json")
    with pytest.raises(ValueError, match="does not say which joints its heatmaps are of"):
        evaluate(load_network(reference, threads=1), labels, photos, inference=WITHOUT_FLIP)
    metrics = evaluate(tinypose, labels, photos, inference=WITHOUT_FLIP, progress=False).metrics
    assert metrics.protocol.unknown_joints == ("head_bottom", "head_top")


class WithoutMirror:
    """A network of two joints whose mirror order nobody knows."""

    name, digest, licence, frame, sigma = "two", "0", "none", "udp", 2.0
    input_size, heatmap_size = (64, 48), (16, 12)
    skeleton: Skeleton | None = Skeleton(names=("a", "b"), name="two")
    joints: tuple[str | None, ...] | None = None

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Return heatmaps (B, 2, 16, 12)."""
        return np.ones((len(crops), 2, 16, 12), np.float32)


def test_there_is_no_flip_test_without_a_mirror_order(caplog: pytest.LogCaptureFixture) -> None:
    network = WithoutMirror()
    with caplog.at_level("INFO"):
        matched = match_network(network, Skeleton(names=("a", "b"), name="two"), WITH_FLIP)
    assert (matched.network, matched.flip, matched.inference.flip) == (network, False, False)
    assert "no flip test" in caplog.text


def test_what_a_network_knows_is_known_through_every_translation(tinypose: PoseNetwork) -> None:
    middle = Skeleton(names=("left_knee", "toe", "left_hip"))
    last = Skeleton(names=("toe", "hip_left", "knee_l", "nose"))
    twice = translated(translated(tinypose, middle), last)
    known = known_joints(twice)
    assert known is not None
    assert known.tolist() == [False, True, True, False]
    assert match_network(twice, last, WITHOUT_FLIP).known.tolist() == known.tolist()
    assert known_joints(tinypose) is None
