"""OKS, suppression and scores against pycocotools and against plain loops."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.skeletons import COCO as COCO_SKELETON
from pipeline.evaluation.oks import (
    coco_results,
    joint_similarity,
    pose_scores,
    similarity,
    suppress,
    suppress_in_groups,
)

OKS_SIGMAS = np.array(COCO_SKELETON.sigmas)


def test_similarity_is_what_pycocotools_computes(shared_data: Path) -> None:
    annotations = shared_data / "coco" / "person_keypoints_val.json"
    persons = read_coco(annotations)
    rng = np.random.default_rng(0)
    moved = persons.keypoints + rng.normal(0, 0.05, persons.keypoints.shape) * np.sqrt(persons.area)[:, None, None]
    coco = COCO(str(annotations))
    results = [
        {
            "image_id": int(i),
            "category_id": 1,
            "keypoints": np.c_[k, np.ones(17)].ravel().tolist(),
            "score": 1 - row / 1e6,
        }
        for row, (i, k) in enumerate(zip(persons.image_id, moved, strict=True))
    ]
    theirs = COCOeval(coco, coco.loadRes(results), "keypoints")
    theirs.params.maxDets = [100]
    theirs._prepare()
    compared = 0
    for image in np.unique(persons.image_id):
        rows = np.flatnonzero(persons.image_id == image)
        truth = {g["id"]: column for column, g in enumerate(theirs._gts[image, 1])}
        expected = theirs.computeOks(image, 1)[
            :, [truth[a] for a in persons.annotation_id[rows]]
        ]  # (detection, person)
        found = similarity(
            moved[rows][:, None],
            persons.keypoints[rows],
            persons.area[rows],
            persons.visibility[rows],
            sigmas=OKS_SIGMAS,
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        compared += found.size
    assert compared > 1000


def test_a_shift_costs_what_the_formula_says() -> None:
    truth, area = np.random.default_rng(1).uniform(0, 200, (5, 17, 2)), np.array([400.0, 900, 2500, 10000, 40000])
    expected = np.exp(-(3.0**2 + 4.0**2) / (2 * area[:, None] * (2 * OKS_SIGMAS) ** 2))
    np.testing.assert_allclose(
        joint_similarity(truth + np.array([3, 4]), truth, area, sigmas=OKS_SIGMAS), expected, rtol=1e-12
    )
    np.testing.assert_allclose(
        similarity(truth + np.array([3, 4]), truth, area, sigmas=OKS_SIGMAS), expected.mean(1), rtol=1e-12
    )


def test_only_labelled_joints_count() -> None:
    truth = np.zeros((2, 17, 2))
    found = truth.copy()
    found[:, 0] = 1e6
    labelled = np.ones((2, 17))
    labelled[:, 0] = 0
    labelled[1] = 0
    assert similarity(found, truth, np.ones(2), labelled, sigmas=OKS_SIGMAS)[0] == 1
    assert np.isnan(similarity(found, truth, np.ones(2), labelled, sigmas=OKS_SIGMAS)[1])


def suppress_by_loops(xy: np.ndarray, scores: np.ndarray, areas: np.ndarray, threshold: float) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(xy)), key=lambda i: -scores[i]):
        worst = 0.0
        for other in kept:
            total = 0.0
            for joint in range(17):
                squared = sum((xy[row, joint] - xy[other, joint]) ** 2)
                total += np.exp(-squared / (2 * OKS_SIGMAS[joint]) ** 2 / ((areas[row] + areas[other]) / 2) / 2)
            worst = max(worst, total / 17)
        if worst <= threshold:
            kept.append(row)
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.5, 0.9]))
def test_suppression_is_the_plain_loop(seed: int, poses: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    persons = rng.uniform(0, 300, (3, 17, 2))
    xy = persons[rng.integers(0, 3, poses)] + rng.normal(0, 2, (poses, 17, 2))
    scores, areas = rng.uniform(0, 1, poses), rng.uniform(500, 20000, poses)
    assert suppress(xy, scores, areas, threshold, sigmas=OKS_SIGMAS).tolist() == suppress_by_loops(
        xy, scores, areas, threshold
    )


def test_suppression_stays_within_an_image() -> None:
    xy = np.repeat(np.random.default_rng(2).uniform(0, 100, (1, 17, 2)), 5, axis=0)
    scores = np.array([0.2, 0.9, 0.5, 0.1, 0.3])
    kept = suppress_in_groups(xy, scores, np.full(5, 1000.0), np.array([[7], [3], [7], [3], [9]]), sigmas=OKS_SIGMAS)
    assert kept.tolist() == [1, 2, 4]  # the best of each image, in the given order
    assert suppress_in_groups(xy[:0], scores[:0], scores[:0], np.zeros((0, 1), np.int64), sigmas=OKS_SIGMAS).size == 0


def test_poses_of_different_categories_are_no_duplicates() -> None:
    poses = np.repeat(np.random.default_rng(3).uniform(10, 90, (1, 17, 3)), 4, axis=0)
    box, ones = np.tile([0.0, 0, 100, 100], (4, 1)), np.ones(4)
    kept, results = coco_results(
        poses, np.array([1, 1, 1, 2]), np.array([5, 8, 8, 8]), box, ones, (256, 192), sigmas=OKS_SIGMAS, suppressed=True
    )
    assert kept.tolist() == [0, 1, 3]
    assert [(result["image_id"], result["category_id"]) for result in results] == [(1, 5), (1, 8), (2, 8)]


def test_suppression_looks_only_at_joints_that_the_network_knows() -> None:
    """Blank maps put the others at the same place of equal boxes, which makes any two poses alike."""
    poses = np.zeros((2, 17, 3))
    poses[1, 0, :2] = 80
    box, arguments = np.tile([0.0, 0, 100, 100], (2, 1)), (np.ones(2, int), np.ones(2, int))
    known = np.arange(17) == 0
    for mask, count in ((None, 1), (known, 2)):
        kept, _ = coco_results(
            poses, *arguments, box, np.ones(2), (256, 192), sigmas=OKS_SIGMAS, suppressed=True, known=mask
        )
        assert len(kept) == count


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pose_that_is_not_finite_is_refused(value: float) -> None:
    poses = np.zeros((2, 17, 3))
    poses[1, 4, 0] = value
    with pytest.raises(ValueError, match="1 poses hold NaN or infinity, the first is number 1, in image 9"):
        coco_results(
            poses, np.array([7, 9]), np.ones(2, int), np.ones((2, 4)), np.ones(2), (256, 192), sigmas=OKS_SIGMAS,
            suppressed=False,
        )  # fmt: skip


def test_pose_score_counts_sure_joints_alone() -> None:
    joints = np.full((3, 17), 0.1)
    joints[0, :2] = 0.6, 0.8
    joints[1] = 0.2  # at the threshold is not above it
    np.testing.assert_allclose(pose_scores(joints, np.array([0.5, 1.0, 1.0])), [0.35, 0, 0])


@pytest.mark.parametrize("poses", [1, 2])
def test_best_comes_first(poses: int) -> None:
    xy = np.arange(poses * 34, dtype=float).reshape(poses, 17, 2) * 100
    assert (
        suppress(xy, np.arange(poses, dtype=float), np.ones(poses), sigmas=OKS_SIGMAS).tolist()
        == list(range(poses))[::-1]
    )
