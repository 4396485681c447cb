"""Evaluation of a real teacher on real photos, against its known AP, the OKS formula and itself through a store."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.evaluation.evaluation import EvaluationResult, evaluate, evaluate_store, score
from pipeline.evaluation.metrics_file import NetworkProtocol
from pipeline.evaluation.oks import similarity
from pipeline.persons.boxes import annotated
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.pose_network import Crops, Maps, PoseNetwork
from student.prediction import read_crops
from tests.pipeline.evaluation.test_coco_ap import PERSONS, same_in_both
from tests.samples.remembering_network import RememberingNetwork
from tests.samples.small_store import write_maps

PROTOCOL = NetworkProtocol(predictor="test", input_size=(256, 192), flip=False)
WITHOUT_FLIP = Inference(flip=False, device="cpu")
# with test_legs_of_coco.py, which evaluates the same network on the same persons
pytestmark = pytest.mark.xdist_group("tinypose")


@pytest.fixture(scope="module")
def val(shared_data: Path) -> Path:
    return shared_data / "coco" / "person_keypoints_val.json"


@pytest.fixture(scope="module")
def labels(val: Path) -> CocoLabels:
    return CocoLabels(val)


@pytest.fixture(scope="module")
def persons(val: Path) -> Instances:
    return read_coco(val)


@pytest.fixture(scope="module")
def tinypose(shared_data: Path, tinypose_maps: dict[bytes, Maps]) -> PoseNetwork:
    reference = f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"
    return RememberingNetwork(load_network(reference, threads=1), tinypose_maps)


@pytest.fixture(scope="module")
def result(tinypose: PoseNetwork, labels: CocoLabels, val: Path) -> EvaluationResult:
    return evaluate(tinypose, labels, val.parent / "val", inference=WITHOUT_FLIP)


@pytest.fixture(scope="module")
def maps(result: EvaluationResult, tinypose: PoseNetwork, val: Path, persons: Instances) -> Maps:
    """Return the teacher's heatmaps (356, 17, 64, 48) of val."""
    photos = [val.parent / "val" / name for name in persons.file_name]
    crops = read_crops(photos, crop_to_image(persons.box, "stride"), (256, 192))
    return tinypose(np.stack(list(crops)))


def poses(xy: np.ndarray, height: float = 1.0) -> np.ndarray:
    """Poses (N, 17, 3) of points (N, 17, 2) that are all equally sure."""
    return np.concatenate([xy, np.full((*xy.shape[:-1], 1), height)], axis=-1)


def test_the_real_teacher_has_its_known_ap(result: EvaluationResult) -> None:
    metrics = result.metrics
    assert pytest.approx(0.650, abs=0.002) == metrics.AP
    assert pytest.approx(0.869, abs=0.002) == metrics.AP50
    assert pytest.approx(0.687, abs=0.002) == metrics.AR
    assert metrics.percent("AP") == pytest.approx(65.0, abs=0.2)
    # what the published file leaves out, and nothing else to remark
    assert metrics.notes == ("person_keypoints_val.json: left out 12 crowd, 128 no labelled keypoint",)


def test_the_flip_test_gains_what_is_known(tinypose: PoseNetwork, labels: CocoLabels, val: Path) -> None:
    flipped = evaluate(tinypose, labels, val.parent / "val").metrics
    assert pytest.approx(0.661, abs=0.002) == flipped.AP
    assert flipped.protocol.flip is True


def test_the_protocol_states_how_the_numbers_were_measured(
    result: EvaluationResult, persons: Instances, tinypose: PoseNetwork
) -> None:
    protocol = result.metrics.to_json()["protocol"]
    assert protocol["boxes"] == {"source": "gt", "boxes": 356}
    assert (protocol["persons"], protocol["images"], protocol["flip"]) == (356, 126, False)
    assert protocol["weights"] == tinypose.digest
    assert protocol["annotations"] == {
        "file": "person_keypoints_val.json",
        "digest": persons.digest(),
        "left_out": {"crowd": 12, "no labelled keypoint": 128},
    }
    assert (protocol["skeleton"], protocol["categories"], protocol["joints"]) == ("coco", [1], "all")
    assert protocol["oks_sigmas"]["left_hip"] == {"sigma": COCO.oks_sigmas()[0][11], "source": "stated"}
    assert "area" not in protocol
    assert protocol["oks_nms"] is None
    assert protocol["decode_device"] == "cpu"
    json.dumps(result.metrics.to_json(), allow_nan=False)


def test_one_object_serves_several_evaluations(
    result: EvaluationResult, labels: CocoLabels, val: Path, persons: Instances
) -> None:
    """Pycocotools writes into its index: a second evaluation of the same index gives the same numbers."""
    again, _ = coco_numbers(labels.coco, result.results, **PERSONS)
    fresh, _ = coco_numbers(CocoLabels(val).coco, result.results, **PERSONS)
    assert again == fresh == result.metrics.numbers


@pytest.mark.parametrize("codec", ["exact8", "compact", "compact80", "compact6"])
def test_cached_heatmaps_keep_the_ap(
    codec: str,
    tmp_path: Path,
    result: EvaluationResult,
    maps: Maps,
    labels: CocoLabels,
    persons: Instances,
    tinypose: PoseNetwork,
) -> None:
    spec = make_spec(
        persons, TeacherSpec("tinypose", tinypose.digest), skeleton=COCO, frame=FrameSpec("stride"), codec=codec
    )
    store = HeatmapStore.create(tmp_path / "val.zarr", spec, persons)
    write_maps(store, 0, maps)
    store.finalize()
    cached = evaluate_store(HeatmapStore.open(tmp_path / "val.zarr"), labels).metrics
    assert pytest.approx(result.metrics.AP, abs=0.003) == cached.AP
    assert cached.protocol.codec == codec
    assert cached.protocol.boxes == result.metrics.protocol.boxes


def test_a_store_of_other_persons_is_refused(tmp_path: Path, val: Path, persons: Instances) -> None:
    few = persons.take(np.arange(3))
    store = HeatmapStore.create(tmp_path / "few.zarr", make_spec(few, TeacherSpec("nobody", "0"), skeleton=COCO), few)
    with pytest.raises(ValueError, match=r"the store holds 3 persons, .* has 356"):
        evaluate_store(store, val)


def test_scoring_no_pose_at_all_is_an_error(labels: CocoLabels, persons: Instances) -> None:
    nobody = annotated(persons.take(np.arange(0)), {})
    with pytest.raises(ValueError, match="no pose to score: gt has no box"):
        score(np.zeros((0, 17, 3)), nobody, persons, labels, PROTOCOL)


def test_ground_truth_as_predictions_is_exactly_one(labels: CocoLabels, persons: Instances) -> None:
    metrics = score(poses(persons.keypoints), annotated(persons, labels.category_of), persons, labels, PROTOCOL).metrics
    assert set(metrics.numbers.values()) == {1.0}
    accuracy = metrics.per_joint["all"]
    assert (accuracy.PCK, accuracy.OKS) == (1.0, 1.0)
    assert accuracy.labelled == (persons.visibility > 0).sum()


def test_an_error_of_one_cell_costs_what_the_formula_says(
    tmp_path: Path, labels: CocoLabels, persons: Instances
) -> None:
    """One person an image: then AP and AR are the shares of persons whose OKS reaches each threshold."""
    first = {int(i): row for row, i in reversed(list(enumerate(persons.image_id)))}
    single = persons.take(np.array(sorted(first.values())))
    truth = json.loads(labels.path.read_text())
    keep = set(single.annotation_id.tolist())
    truth["annotations"] = [a for a in truth["annotations"] if a["id"] in keep]
    path = tmp_path / "one_each.json"
    path.write_text(json.dumps(truth))
    cell_to_image = compose(cell_to_crop("udp"), crop_to_image(single.box))
    moved = apply(cell_to_image, apply(invert(cell_to_image), single.keypoints) + np.array([1, 0]))
    oks = similarity(moved, single.keypoints, single.area, single.visibility, sigmas=COCO.oks_sigmas()[0])
    metrics = score(poses(moved), annotated(single, labels.category_of), single, CocoLabels(path), PROTOCOL).metrics
    reached = [(oks >= threshold).mean() for threshold in np.linspace(0.5, 0.95, 10)]
    assert 0.1 < np.mean(reached) < 0.99
    assert pytest.approx(np.mean(reached), abs=1e-12) == metrics.AR
    assert pytest.approx(reached[5], abs=1e-12) == metrics.AR75
    labelled = (persons.take(np.array(sorted(first.values()))).visibility > 0).sum(1)
    assert pytest.approx((np.nan_to_num(oks) * labelled).sum() / labelled.sum()) == metrics.per_joint["all"].OKS


def test_a_detectors_boxes(
    tmp_path: Path, labels: CocoLabels, val: Path, persons: Instances, tinypose: PoseNetwork
) -> None:
    """The annotated boxes as a detector's, each twice: the doubles are suppressed and the numbers stay."""
    rows = np.flatnonzero(np.isin(persons.image_id, np.unique(persons.image_id)[:20]))
    detections = [
        {"image_id": int(persons.image_id[r]), "category_id": 1, "bbox": persons.box[r].tolist(), "score": confidence}
        for confidence in (0.9, 0.4)
        for r in rows
    ]
    first = detections[0]
    detections += [{**first, "category_id": 3}, {**first, "score": 0.01}, {**first, "image_id": 1}]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(detections))
    result = evaluate(tinypose, labels, val.parent / "val", boxes=path, score_threshold=0.05, inference=WITHOUT_FLIP)
    protocol = result.metrics.protocol
    assert protocol.boxes.boxes == 2 * len(rows)
    assert protocol.boxes.boxes_in_other_images == 1
    assert protocol.oks_nms == 0.9
    assert protocol.detections_kept is not None
    assert len(rows) - 2 <= protocol.detections_kept <= len(rows)
    assert max(r["score"] for r in result.results) <= 0.9
    assert "images with persons have no detection" in result.metrics.notes[0]
    assert result.metrics.notes[1] == (
        "detections.json: left out 1 another category, 1 score below 0.05, 1 in other images"
    )
    # most persons have no box
    assert result.metrics.AP is not None
    assert 0 < result.metrics.AP < 0.3
    nose = result.metrics.per_joint["nose"].PCK
    assert nose is not None
    assert nose < 0.3


def test_a_number_that_does_not_exist_is_null_with_a_note(
    tmp_path: Path, labels: CocoLabels, persons: Instances
) -> None:
    large = int(np.argmax(persons.area))
    truth = json.loads(labels.path.read_text())
    truth["annotations"] = [a for a in truth["annotations"] if a["id"] == persons.annotation_id[large]]
    path = tmp_path / "one_large.json"
    path.write_text(json.dumps(truth))
    person = persons.take(np.array([large]))
    metrics = score(
        poses(person.keypoints), annotated(person, labels.category_of), person, CocoLabels(path), PROTOCOL
    ).metrics
    assert metrics.APM is None
    assert metrics.ARM is None
    assert pytest.approx(1) == metrics.APL
    assert metrics.notes == ("APM, ARM: no labelled person of that size in the annotations, so there is no number",)
    unseen = [name for name, seen in zip(COCO.names, person.visibility[0], strict=True) if not seen]
    assert unseen
    assert all(metrics.per_joint[name].PCK is None for name in unseen)


class Broken:
    """A network that fails on its second batch."""

    name, digest, licence, frame, sigma = "broken", "", "", "udp", 2.0
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size = (64, 48), (16, 12)

    def __init__(self) -> None:
        self.calls = self.failure()

    def failure(self) -> Iterator[Maps]:
        yield np.zeros((4, 17, 16, 12), np.float32)
        raise RuntimeError("the second batch failed")

    def __call__(self, crops: Crops) -> Maps:
        return next(self.calls)


def test_failures_reach_the_caller(tmp_path: Path, labels: CocoLabels, val: Path) -> None:
    inference = Inference(flip=False, batch_size=4, device="cpu")
    with pytest.raises(RuntimeError, match="the second batch failed"):
        evaluate(Broken(), labels, val.parent / "val", inference=inference)
    with pytest.raises(FileNotFoundError):
        evaluate(Broken(), labels, tmp_path, inference=inference)


def test_a_sample_of_persons_is_evaluated(tinypose: PoseNetwork, labels: CocoLabels, val: Path) -> None:
    metrics = evaluate(tinypose, labels, val.parent / "val", max_persons=40, inference=WITHOUT_FLIP).metrics
    assert 20 <= metrics.protocol.persons <= 80
    assert metrics.protocol.images < 30
    assert metrics.AP is not None
    assert 0.3 < metrics.AP < 0.95


def test_real_predictions_score_as_in_faster_coco_eval(result: EvaluationResult, labels: CocoLabels) -> None:

    assert same_in_both(labels.document(), result.results) == [*result.metrics.numbers.values()]
