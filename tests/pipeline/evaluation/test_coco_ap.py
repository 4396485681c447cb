"""COCO's ten numbers against faster-coco-eval, on random, crowded and empty images."""

import contextlib
import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO as FastCOCO
from faster_coco_eval import COCOeval_faster
from pycocotools.coco import COCO

from cache_tools.skeletons import COCO as COCO_SKELETON
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.persons.coco_labels import CocoLabels
from tests.samples.coco_document import LEGS, coco_document

PERSONS: dict[str, Any] = {"categories": [1], "sigmas": COCO_SKELETON.sigmas}


@pytest.fixture(scope="module")
def labels(shared_data: Path) -> CocoLabels:
    return CocoLabels(shared_data / "coco" / "person_keypoints_val.json")


def by_faster_coco_eval(
    truth: dict[str, Any], results: list[dict[str, Any]], sigmas: Sequence[float] | None = None
) -> list[float]:
    """Return faster-coco-eval's ten numbers. sigmas: of the joints; None: its own, for COCO's seventeen."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = FastCOCO(copy.deepcopy(truth))
        detections = coco.loadRes(copy.deepcopy(results))
        own = {} if sigmas is None else {"kpt_oks_sigmas": list(sigmas)}
        evaluation = COCOeval_faster(coco, detections, "keypoints", **own)
        evaluation.run()
    return list(evaluation.stats)[:10]


def same_in_both(truth: dict[str, Any], results: list[dict[str, Any]]) -> list[float]:
    """Return our numbers after a check that they are faster-coco-eval's."""
    coco = COCO()
    coco.dataset = copy.deepcopy(truth)
    coco.createIndex()
    numbers, _ = coco_numbers(coco, results, **PERSONS)
    ours = [-1.0 if value is None else value for value in numbers.values()]
    np.testing.assert_allclose(ours, by_faster_coco_eval(truth, results), rtol=0, atol=1e-9)
    return ours


def coco_result(image: int, xy: np.ndarray, score: float) -> dict[str, Any]:
    """Return a pose of points (17, 2) that are all equally sure, as a COCO result."""
    keypoints = np.concatenate([xy, np.ones((17, 1))], axis=1).ravel().tolist()
    return {"image_id": int(image), "category_id": 1, "keypoints": keypoints, "score": score}


@pytest.mark.parametrize("seed", range(3))
def test_random_predictions_score_as_in_faster_coco_eval(seed: int, labels: CocoLabels) -> None:
    persons = labels.persons
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(persons), 600)  # some persons several times, some never
    noise = rng.normal(0, 0.03 * (seed + 1), (600, 17, 2)) * np.sqrt(persons.area[rows])[:, None, None]
    scores = rng.uniform(0, 1, 600).tolist()
    moved = persons.keypoints[rows] + noise
    results = [coco_result(persons.image_id[row], moved[i], scores[i]) for i, row in enumerate(rows)]
    assert 0 < same_in_both(labels.document(), results)[0] < 1


def test_crowded_and_empty_images_score_as_in_faster_coco_eval(labels: CocoLabels) -> None:
    """More detections an image than COCO counts, and false positives where nobody is."""
    persons = labels.persons
    rng = np.random.default_rng(5)
    truth = labels.document()
    images = np.unique(persons.image_id)[:12]
    truth["images"] = [i for i in truth["images"] if i["id"] in images]
    truth["annotations"] = [a for a in truth["annotations"] if a["image_id"] in images[4:]]
    results = []
    for image in images:
        for row in rng.choice(np.flatnonzero(persons.image_id == image), 30):
            noise = rng.normal(0, 0.05, (17, 2)) * np.sqrt(persons.area[row])
            results.append(coco_result(image, persons.keypoints[row] + noise, float(rng.uniform())))
    ap = same_in_both(truth, results)[0]
    assert 0.05 < ap < 0.95
    without_false = [result for result in results if result["image_id"] not in images[:4]]
    assert ap < same_in_both(truth, without_false)[0]


def test_only_the_given_images_count(labels: CocoLabels) -> None:
    persons = labels.persons
    images = np.unique(persons.image_id)
    rows = range(len(persons))
    exact = [coco_result(persons.image_id[row], persons.keypoints[row], 1.0) for row in rows]
    numbers, _ = coco_numbers(
        labels.coco, [r for r in exact if r["image_id"] in images[:5]], images=images[:5], **PERSONS
    )
    assert numbers["AP"] == 1.0
    numbers, _ = coco_numbers(labels.coco, [r for r in exact if r["image_id"] in images[:5]], **PERSONS)
    assert numbers["AR"] is not None
    assert numbers["AR"] < 0.5


def test_results_are_left_as_they_were(labels: CocoLabels) -> None:
    results = [coco_result(labels.persons.image_id[0], labels.persons.keypoints[0], 0.5)]
    before = copy.deepcopy(results)
    coco_numbers(labels.coco, results, **PERSONS)
    assert results == before


SIX = (0.089, 0.087, 0.107, 0.03, 0.05, 0.2)


@pytest.mark.parametrize("seed", range(3))
def test_six_joints_in_two_categories_score_as_in_faster_coco_eval(seed: int) -> None:
    """Persons of both categories in the same images, some without labels, crowds, detections of nobody."""
    rng = np.random.default_rng(seed)
    document = coco_document(persons=120, names=LEGS, persons_a_photo=4)
    document["categories"].append({**document["categories"][0], "id": 5, "name": "other"})
    results = []
    for number, annotation in enumerate(document["annotations"]):
        area = float(rng.uniform(300, 20000))
        xy = rng.uniform(0, 120, (6, 2))
        visibility = rng.integers(0, 3, 6) * (number % 11 != 0)
        annotation |= {
            "category_id": int(rng.choice([1, 5])),
            "area": area,
            "iscrowd": int(number % 13 == 5),
            "keypoints": np.c_[xy * (visibility > 0)[:, None], visibility].ravel().tolist(),
            "num_keypoints": int((visibility > 0).sum()),
        }
        for _ in range(rng.integers(0, 3)):
            noise = rng.normal(0, 0.08 * rng.uniform(0.2, 2), (6, 2)) * np.sqrt(area)
            results.append(
                {
                    "image_id": annotation["image_id"],
                    "category_id": int(annotation["category_id"] if rng.uniform() < 0.9 else rng.choice([1, 5])),
                    "keypoints": np.c_[xy + noise, np.ones(6)].ravel().tolist(),
                    "score": float(rng.uniform()),
                }
            )
    coco = COCO()
    coco.dataset = copy.deepcopy(document)
    coco.createIndex()
    numbers, remarks = coco_numbers(coco, results, categories=[1, 5], sigmas=SIX)
    ours = [-1.0 if value is None else value for value in numbers.values()]
    np.testing.assert_allclose(ours, by_faster_coco_eval(document, results, SIX), rtol=0, atol=1e-9)
    assert remarks == []
    assert 0.05 < ours[0] < 0.95
    # AP over categories is their mean
    each = [coco_numbers(coco, results, categories=[category], sigmas=SIX)[0]["AP"] for category in (1, 5)]
    assert None not in each
    assert np.mean(np.array(each, float)) == pytest.approx(ours[0], abs=1e-12)
    # other sigmas are other numbers
    assert abs(ours[0] - (coco_numbers(coco, results, categories=[1, 5], sigmas=[0.05] * 6)[0]["AP"] or 0)) > 0.01
