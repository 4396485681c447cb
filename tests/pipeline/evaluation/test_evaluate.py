"""COCO's numbers against faster-coco-eval, against the OKS formula, and for the real teacher on real photos."""

import contextlib
import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO as FastCOCO
from faster_coco_eval import COCOeval_faster

from cache_tools.coco import KEYPOINTS
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert
from cache_tools.instances import Instances, from_coco
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.evaluation.evaluate import METRICS, Verdict, coco_numbers, evaluate, evaluate_store, ground_truth, judge
from pipeline.evaluation.oks import similarity
from pipeline.persons.boxes import annotated, detected
from pipeline.teachers.load import load_network
from student.pose_network import PoseNetwork
from student.prediction import read_crops
from tests.samples.small_store import write_maps


@pytest.fixture(scope="module")
def val(shared_data: Path) -> Path:
    return shared_data / "coco" / "person_keypoints_val.json"


@pytest.fixture(scope="module")
def persons(val: Path) -> Instances:
    return from_coco(val)


class Remembering:
    """A teacher that is asked once for each crop: its passes are what these tests take their time for."""

    def __init__(self, teacher: PoseNetwork) -> None:
        self.name, self.digest, self.licence = teacher.name, teacher.digest, teacher.licence
        self.input_size, self.heatmap_size = teacher.input_size, teacher.heatmap_size
        self.frame, self.sigma = teacher.frame, teacher.sigma
        self.teacher = teacher
        self.seen: dict[bytes, np.ndarray] = {}

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        keys = [crop.tobytes() for crop in crops]
        new = [row for row, key in enumerate(keys) if key not in self.seen]
        if new:
            self.seen |= zip([keys[row] for row in new], self.teacher(crops[new]), strict=True)
        return np.stack([self.seen[key] for key in keys])


@pytest.fixture(scope="module")
def tinypose(shared_data: Path) -> PoseNetwork:
    reference = f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"
    return Remembering(load_network(reference, threads=1))


@pytest.fixture(scope="module")
def verdict(tinypose: PoseNetwork, val: Path) -> Verdict:
    return evaluate(tinypose, val, val.parent / "val")


@pytest.fixture(scope="module")
def maps(verdict: Verdict, tinypose: PoseNetwork, val: Path, persons: Instances) -> np.ndarray:
    """The teacher's heatmaps (356, 17, 64, 48) of val."""
    photos = [val.parent / "val" / name for name in persons.file_name]
    crops = read_crops(photos, crop_to_image(persons.box, "stride"), (256, 192))
    return tinypose(np.stack(list(crops)))


def poses(xy: np.ndarray, score: float = 1.0) -> np.ndarray:
    return np.concatenate([xy, np.full((*xy.shape[:-1], 1), score)], axis=-1)


def test_the_real_teacher_has_its_known_ap(verdict: Verdict) -> None:
    numbers = {name: verdict.metrics[name] for name in METRICS}
    assert abs(numbers["AP"] - 0.650) < 0.002
    assert abs(numbers["AP50"] - 0.869) < 0.002
    assert abs(numbers["AR"] - 0.687) < 0.002
    assert verdict.metrics["notes"] == []


def test_the_flip_test_gains_what_is_known(tinypose: PoseNetwork, val: Path) -> None:
    flipped = evaluate(tinypose, val, val.parent / "val", flip=True)
    assert abs(flipped.metrics["AP"] - 0.661) < 0.002
    assert flipped.metrics["protocol"]["flip"] is True


def test_the_protocol_is_told(verdict: Verdict, persons: Instances, tinypose: PoseNetwork) -> None:
    protocol = verdict.metrics["protocol"]
    assert protocol["boxes"] == {"source": "gt", "boxes": 356}
    assert (protocol["persons"], protocol["images"], protocol["flip"]) == (356, 126, False)
    assert protocol["weights"] == tinypose.digest
    assert protocol["annotations"]["digest"] == persons.digest
    assert {"decoder", "dtype", "device", "input_size", "kdcache", "oks_nms"} <= protocol.keys()
    json.dumps(verdict.metrics, allow_nan=False)


@pytest.mark.parametrize("codec", ["exact8", "compact", "compact6"])
def test_cached_heatmaps_keep_the_ap(
    codec: str, tmp_path: Path, verdict: Verdict, maps: np.ndarray, val: Path, persons: Instances, tinypose: PoseNetwork
) -> None:
    spec = make_spec(persons, TeacherSpec("tinypose", tinypose.digest), frame=FrameSpec("stride"), codec=codec)
    store = HeatmapStore.create(tmp_path / "val.zarr", spec, persons)
    write_maps(store, 0, maps)
    store.finalize()
    cached = evaluate_store(HeatmapStore.open(tmp_path / "val.zarr"), val).metrics
    assert abs(cached["AP"] - verdict.metrics["AP"]) < 0.003
    assert cached["protocol"]["codec"] == codec


def test_a_store_of_other_persons_is_refused(tmp_path: Path, val: Path, persons: Instances) -> None:
    few = persons.take(np.arange(3))
    store = HeatmapStore.create(tmp_path / "few.zarr", make_spec(few, TeacherSpec("nobody", "0")), few)
    with pytest.raises(ValueError, match=r"the store holds 3 persons, .* has 356"):
        evaluate_store(store, val)


def faster(truth: dict[str, Any], results: list[dict[str, Any]]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = FastCOCO(copy.deepcopy(truth))
        judged = COCOeval_faster(coco, coco.loadRes(copy.deepcopy(results)), "keypoints")
        judged.run()
    return list(judged.stats)[:10]


def same_as_faster(truth: dict[str, Any], results: list[dict[str, Any]]) -> list[float]:
    numbers, _ = coco_numbers(copy.deepcopy(truth), results)
    ours = [-1.0 if value is None else value for value in numbers.values()]
    np.testing.assert_allclose(ours, faster(truth, results), rtol=0, atol=1e-9)
    return ours


def test_real_predictions_score_as_in_faster_coco_eval(verdict: Verdict, val: Path) -> None:
    ours = same_as_faster(ground_truth(val), verdict.results)
    assert ours == [verdict.metrics[name] for name in METRICS]


@pytest.mark.parametrize("seed", range(3))
def test_random_predictions_score_as_in_faster_coco_eval(seed: int, val: Path, persons: Instances) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(persons), 600)  # some persons several times, some never
    noise = rng.normal(0, 0.03 * (seed + 1), (600, 17, 2)) * np.sqrt(persons.area[rows])[:, None, None]
    results = [
        {"image_id": int(i), "category_id": 1, "keypoints": k.ravel().tolist(), "score": float(s)}
        for i, k, s in zip(
            persons.image_id[rows], poses(persons.keypoints[rows] + noise), rng.uniform(0, 1, 600), strict=True
        )
    ]
    assert 0 < same_as_faster(ground_truth(val), results)[0] < 1


def test_crowded_and_empty_images_score_as_in_faster_coco_eval(val: Path, persons: Instances) -> None:
    """More detections an image than COCO counts, and false positives where nobody is."""
    rng = np.random.default_rng(5)
    truth = ground_truth(val)
    images = np.unique(persons.image_id)[:12]
    truth["annotations"] = [a for a in truth["annotations"] if a["image_id"] not in images[:4]]
    results = []
    for image in images:
        rows = np.flatnonzero(persons.image_id == image)
        for row in rng.choice(rows, 30):
            noise = rng.normal(0, 0.05, (17, 2)) * np.sqrt(persons.area[row])
            keypoints = poses(persons.keypoints[row] + noise).ravel().tolist()
            results.append(
                {"image_id": int(image), "category_id": 1, "keypoints": keypoints, "score": float(rng.uniform())}
            )
    alone = {**truth, "images": [i for i in truth["images"] if i["id"] in images]}
    alone["annotations"] = [a for a in truth["annotations"] if a["image_id"] in images]
    assert 0.05 < same_as_faster(alone, results)[0] < 0.95
    without_false = [r for r in results if r["image_id"] not in images[:4]]
    assert same_as_faster(alone, results)[0] < same_as_faster(alone, without_false)[0]


def test_no_pose_at_all_is_said(val: Path, persons: Instances) -> None:
    nobody = annotated(persons.take(np.arange(0)))
    with pytest.raises(ValueError, match="no pose to judge: gt has no box"):
        judge(np.zeros((0, 17, 3)), nobody, persons, val)


def test_ground_truth_as_predictions_is_exactly_one(val: Path, persons: Instances) -> None:
    metrics = judge(poses(persons.keypoints), annotated(persons), persons, val).metrics
    assert {metrics[name] for name in METRICS} == {1.0}
    assert metrics["per_joint"]["all"] == {"PCK": 1.0, "OKS": 1.0, "labelled": int((persons.visibility > 0).sum())}


def test_one_cell_aside_costs_what_the_formula_says(tmp_path: Path, val: Path, persons: Instances) -> None:
    """One person an image: then AP and AR are the shares of persons whose OKS reaches each threshold."""
    first = {int(i): row for row, i in reversed(list(enumerate(persons.image_id)))}
    alone = persons.take(np.array(sorted(first.values())))
    truth = ground_truth(val)
    keep = set(alone.annotation_id.tolist())
    truth["annotations"] = [a for a in truth["annotations"] if a["id"] in keep]
    path = tmp_path / "one_each.json"
    path.write_text(json.dumps(truth))
    cell_to_image = compose(cell_to_crop("udp"), crop_to_image(alone.box))
    moved = apply(cell_to_image, apply(invert(cell_to_image), alone.keypoints) + np.array([1, 0]))
    oks = similarity(moved, alone.keypoints, alone.area, alone.visibility)
    metrics = judge(poses(moved), annotated(alone), alone, path).metrics
    reached = [(oks >= threshold).mean() for threshold in np.linspace(0.5, 0.95, 10)]
    assert 0.1 < np.mean(reached) < 0.99
    assert metrics["AR"] == pytest.approx(np.mean(reached), abs=1e-12)
    assert metrics["AR75"] == pytest.approx(reached[5], abs=1e-12)
    assert metrics["per_joint"]["all"]["OKS"] == pytest.approx(
        (np.nan_to_num(oks) * (alone.visibility > 0).sum(1)).sum() / (alone.visibility > 0).sum()
    )


def test_a_detectors_boxes(tmp_path: Path, val: Path, persons: Instances, tinypose: PoseNetwork) -> None:
    """The annotated boxes as a detector's, each twice: the doubles are suppressed and the numbers stay."""
    rows = np.flatnonzero(np.isin(persons.image_id, np.unique(persons.image_id)[:20]))
    found = [
        {"image_id": int(persons.image_id[r]), "category_id": 1, "bbox": persons.box[r].tolist(), "score": score}
        for score in (0.9, 0.4)
        for r in rows
    ]
    found += [{**found[0], "category_id": 3}, {**found[0], "score": 0.01}, {**found[0], "image_id": 1}]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(found))
    judged = evaluate(tinypose, val, val.parent / "val", boxes=path, score_threshold=0.05)
    protocol = judged.metrics["protocol"]
    assert protocol["boxes"]["boxes"] == 2 * len(rows)
    assert protocol["boxes"]["boxes_in_other_images"] == 1
    assert protocol["oks_nms"] == 0.9
    assert len(rows) - 2 <= protocol["detections_kept"] <= len(rows)
    assert max(r["score"] for r in judged.results) <= 0.9
    assert "images with persons have no detection" in judged.metrics["notes"][-1]
    assert 0 < judged.metrics["AP"] < 0.3  # most persons have no box
    assert judged.metrics["per_joint"]["nose"]["PCK"] < 0.3


def test_detections_that_say_nothing(tmp_path: Path, val: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="leaves no box to evaluate: 0 detections"):
        detected(path, val)
    path.write_text('[{"image_id": 139, "bbox": [0, 0, 5, 5]}]')
    with pytest.raises(ValueError, match=r"expected .*image_id, category_id, bbox, score"):
        detected(path, val)


def test_what_does_not_exist_is_null_and_told(tmp_path: Path, val: Path, persons: Instances) -> None:
    large = int(np.argmax(persons.area))
    truth = ground_truth(val)
    truth["annotations"] = [a for a in truth["annotations"] if a["id"] == persons.annotation_id[large]]
    path = tmp_path / "one_large.json"
    path.write_text(json.dumps(truth))
    alone = persons.take(np.array([large]))
    metrics = judge(poses(alone.keypoints), annotated(alone), alone, path).metrics
    assert metrics["APM"] is None
    assert metrics["ARM"] is None
    assert metrics["APL"] == pytest.approx(1)
    assert metrics["notes"] == ["APM, ARM: no labelled person of that size in the annotations, so there is no number"]
    unseen = [name for name, seen in zip(KEYPOINTS, alone.visibility[0], strict=True) if not seen]
    assert all(metrics["per_joint"][name]["PCK"] is None for name in unseen)


class Broken:
    """A teacher that fails on its second batch."""

    name, digest, licence, frame, sigma = "broken", "", "", "udp", 2.0
    input_size, heatmap_size = (64, 48), (16, 12)

    def __init__(self) -> None:
        self.calls = self.failure()

    def failure(self) -> Iterator[np.ndarray]:
        yield np.zeros((4, 17, 16, 12), np.float32)
        raise RuntimeError("the second batch failed")

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        return next(self.calls)


def test_failures_reach_the_caller(tmp_path: Path, val: Path) -> None:
    with pytest.raises(RuntimeError, match="the second batch failed"):
        evaluate(Broken(), val, val.parent / "val", batch_size=4)
    with pytest.raises(FileNotFoundError):
        evaluate(Broken(), val, tmp_path, batch_size=4)


def test_a_look_while_training(tinypose: PoseNetwork, val: Path) -> None:
    look = evaluate(tinypose, val, val.parent / "val", max_persons=40).metrics
    assert 20 <= look["protocol"]["persons"] <= 80
    assert look["protocol"]["images"] < 30
    assert 0.3 < look["AP"] < 0.95
