"""Accuracy of joints against plain loops."""

from pathlib import Path

import numpy as np
import pytest

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from pipeline.evaluation.metrics_file import JointAccuracy
from pipeline.evaluation.per_joint import PCK_THRESHOLD, joint_accuracy
from pipeline.persons.boxes import BoxProtocol, PersonBoxes, annotated

KEYPOINTS, OKS_SIGMAS = COCO.names, COCO.oks_sigmas()[0]


@pytest.fixture(scope="module")
def persons(shared_data: Path) -> Instances:
    return read_coco(shared_data / "coco" / "person_keypoints_val.json").take(slice(0, 60))


def persons_only(persons: Instances) -> dict[int, int]:
    """Return category 1 for each annotation."""
    return dict.fromkeys(persons.annotation_id.tolist(), 1)


def similarity_by_loop(xy: np.ndarray, persons: Instances, row: int, joint: int) -> float:
    squared = ((xy[joint] - persons.keypoints[row, joint]) ** 2).sum()
    return float(np.exp(-squared / (2 * persons.area[row] * (2 * OKS_SIGMAS[joint]) ** 2)))


def accuracy_by_loops(pose_of: dict[int, np.ndarray], persons: Instances, joint: int) -> tuple[float, ...]:
    """Return PCK, mean OKS, NME and number of one joint; pose_of: row of a person -> its pose (17, 2)."""
    hits, similarities, relative = [], [], []
    for row in range(len(persons)):
        if not persons.visibility[row, joint]:
            continue
        if row not in pose_of:
            hits.append(False)
            similarities.append(0.0)
            continue
        distance = np.hypot(*(pose_of[row][joint] - persons.keypoints[row, joint]))
        hits.append(distance <= PCK_THRESHOLD * max(persons.box[row, 2:]))
        similarities.append(similarity_by_loop(pose_of[row], persons, row, joint))
        relative.append(distance / np.sqrt(persons.area[row]))
    return float(np.mean(hits)), float(np.mean(similarities)), float(np.mean(relative)), len(hits)


def moved(persons: Instances, seed: int) -> np.ndarray:
    """Return poses (N, 17, 3) near the annotated ones."""
    noise = np.random.default_rng(seed).normal(0, 0.06, persons.keypoints.shape) * persons.box[:, None, 2:]
    return np.concatenate([persons.keypoints + noise, np.ones((len(persons), 17, 1))], axis=-1)


def assert_same(found: dict[str, JointAccuracy], pose_of: dict[int, np.ndarray], persons: Instances) -> None:
    for joint, name in enumerate(KEYPOINTS):
        accuracy = found[name]
        expected = accuracy_by_loops(pose_of, persons, joint)
        assert (accuracy.PCK, accuracy.OKS, accuracy.NME, accuracy.labelled) == pytest.approx(expected)


def test_in_annotated_boxes_a_person_has_the_pose_of_its_box(persons: Instances) -> None:
    poses = moved(persons, 0)
    found = joint_accuracy(poses, annotated(persons, persons_only(persons)), persons, skeleton=COCO)
    pose_of = {row: poses[row, :, :2] for row in range(len(persons))}
    assert_same(found, pose_of, persons)
    assert found["all"].labelled == sum(found[name].labelled for name in KEYPOINTS)


def test_in_a_detector_s_boxes_a_person_has_the_nearest_pose_of_its_image(persons: Instances) -> None:
    """Every second image has no detection; the others have each person twice, shuffled."""
    images = np.unique(persons.image_id)[::2]
    rows = np.flatnonzero(np.isin(persons.image_id, images))
    order = np.random.default_rng(1).permutation(np.concatenate([rows, rows]))
    order = order[np.argsort(persons.image_id[order], kind="stable")]
    poses = np.concatenate([moved(persons, 2)[order[::2]], moved(persons, 3)[order[1::2]]])
    of_pose = np.concatenate([order[::2], order[1::2]])
    sort = np.argsort(persons.image_id[of_pose], kind="stable")
    poses, of_pose = poses[sort], of_pose[sort]
    boxes = PersonBoxes(
        image_id=persons.image_id[of_pose],
        box=persons.box[of_pose],
        score=np.ones(len(of_pose)),
        category_id=np.ones(len(of_pose), np.int64),
        file_name=tuple(persons.file_name[row] for row in of_pose),
        image_size=persons.image_size[of_pose],
        protocol=BoxProtocol(source="detector.json", boxes=len(of_pose)),
    )
    pose_of = {}
    for row in rows.tolist():
        candidates = poses[boxes.image_id == persons.image_id[row], :, :2]
        labelled = np.flatnonzero(persons.visibility[row]).tolist()
        oks = [np.mean([similarity_by_loop(xy, persons, row, joint) for joint in labelled]) for xy in candidates]
        pose_of[row] = candidates[int(np.argmax(oks))]
    found = joint_accuracy(poses, boxes, persons, skeleton=COCO)
    assert_same(found, pose_of, persons)
    nose = found["nose"].PCK
    assert nose is not None
    assert 0 < nose < 0.9


def test_a_joint_that_nobody_has_labelled_has_no_accuracy(persons: Instances) -> None:
    row = int(np.flatnonzero((persons.visibility == 0).any(1))[0])
    person = persons.take(np.array([row]))
    found = joint_accuracy(moved(person, 4), annotated(person, persons_only(person)), person, skeleton=COCO)
    joint = int(np.flatnonzero(person.visibility[0] == 0)[0])
    assert found[KEYPOINTS[joint]].model_dump() == {"PCK": None, "OKS": None, "NME": None, "labelled": 0}
