"""Conventions of published data sets, in files of our own making: five fields of 133 joints, 54 categories."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache_tools.skeletons import load_skeleton
from cache_tools.store.writer import HeatmapStore
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.persons.coco_labels import CocoLabels
from student.run_record import read_record
from tests.pipeline.evaluation.test_coco_ap import by_faster_coco_eval
from tests.samples.coco_document import coco_document, write_document
from tests.samples.command_line import metrics, run
from tests.samples.drawn_store import quick_settings
from tests.samples.whole_body import random_poses, whole_body_document, write_whole_bodies

#: xtcocotools 1.14.3 (numpy 2.4.6) of the sixty persons below, by its iouType "keypoints_wholebody"
XTCOCOTOOLS = {
    "AP": 0.18038324444883702, "AP50": 0.47051684175295505, "AP75": 0.10323990145493422,
    "AR": 0.4, "AR50": 0.7, "AR75": 0.35, "ARM": 0.4076923076923077, "ARL": 0.3941176470588236,
}  # fmt: skip
#: and by "keypoints", of all joints in one field: the size of a detection, which these depend on, is that of all joints
XTCOCOTOOLS_OF_ALL_JOINTS = {"APM": 0.15774815880893753, "APL": 0.23498926603046696}
Arguments = list[str | Path]
WHOLE_BODY = ["--skeleton", "coco_wholebody"]

pytestmark = pytest.mark.usefixtures("one_thread")


def test_ten_numbers_of_whole_bodies_are_those_of_xtcocotools_and_of_faster_coco_eval(tmp_path: Path) -> None:
    document, skeleton = whole_body_document(60), load_skeleton("coco_wholebody")
    poses = random_poses(document)
    labels = CocoLabels(write_document(tmp_path, document), skeleton=skeleton)
    numbers, _ = coco_numbers(labels.coco, poses, categories=[1], sigmas=skeleton.oks_sigmas()[0])
    expected = XTCOCOTOOLS | XTCOCOTOOLS_OF_ALL_JOINTS
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    theirs = by_faster_coco_eval(labels.document(), poses, skeleton.oks_sigmas()[0])
    assert [*numbers.values()] == pytest.approx(theirs, abs=1e-9)


def test_133_joints_in_five_fields(tmp_path: Path) -> None:
    path, store = write_whole_bodies(tmp_path, 8), tmp_path / "whole.zarr"
    data: Arguments = ["--images", tmp_path, "--annotations", path]
    summary = json.loads(run("skeleton", path, "--json"))
    assert len(summary["skeleton"]["joints"]) == 17
    assert "--skeleton coco_wholebody reads them" in summary["remarks"][0]
    summary = json.loads(run("skeleton", path, *WHOLE_BODY, "--json"))
    assert (len(summary["skeleton"]["joints"]), summary["remarks"][1:]) == (133, [])
    run("build", store, "--teacher", "oracle", *data, *WHOLE_BODY)
    run("verify", store, "--recompute", "4", "--images", tmp_path, "--teacher", "oracle")
    opened = HeatmapStore.open(store)
    assert opened.spec.skeleton == load_skeleton("coco_wholebody")
    assert opened.read(np.arange(8)).shape == (8, 133, 64, 48)
    labels = json.loads(path.read_text())["annotations"][0]
    np.testing.assert_array_equal(opened.instances.keypoints[0, 17:23], np.reshape(labels["foot_kpts"], (6, 3))[:, :2])
    found = metrics(tmp_path / "store.json", "--store", store, "--annotations", path)
    assert (found["protocol"]["skeleton"], len(found["per_joint"])) == ("coco_wholebody", 134)
    # a teacher of COCO's joints knows 17 of them
    teacher: Arguments = ["--teacher", "student:demo", *data, *WHOLE_BODY, "--common", "--no-flip"]
    found = metrics(tmp_path / "teacher.json", *teacher)
    assert len(found["protocol"]["unknown_joints"]) == 116
    settings = quick_settings("whole", train__epochs=1, train__batch_size=4).model_dump_json()
    run("train", store, "--out", tmp_path / "run", "--settings", settings, "--device", "cpu")
    assert read_record(tmp_path / "run").skeleton == load_skeleton("coco_wholebody").to_json()
    found = metrics(tmp_path / "run.json", tmp_path / "run", *data, *WHOLE_BODY)
    assert (found["protocol"]["flip"], len(found["per_joint"])) == (True, 134)


def animals(folder: Path) -> Path:
    """Write photos and AP-10K's 54 categories with one list of keypoints, two of which have an animal in each photo."""
    document = coco_document(persons=8, names=list(load_skeleton("ap10k").names))
    category = document["categories"][0]
    document["categories"] = [{**category, "id": number, "name": f"animal {number}"} for number in range(1, 55)]
    for number, annotation in enumerate(document["annotations"]):
        annotation |= {"category_id": 1 if number % 2 else 26, "keypoints": annotation["keypoints"][:51]}
    rng = np.random.default_rng(0)
    for image in document["images"]:
        coarse = rng.integers(0, 256, (20, 26, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / image["file_name"]), cv2.resize(coarse, (160, 120)))
    return write_document(folder, document, "ap10k.json")


def test_54_categories_of_one_skeleton(tmp_path: Path) -> None:
    path, store = animals(tmp_path), tmp_path / "animals.zarr"
    data: Arguments = ["--images", tmp_path, "--annotations", path]
    text = run("skeleton", path)
    assert "54 categories   1 animal 1 (4 of 4 annotations), 2 animal 2 (0 of 0 annotations)" in text
    assert "and 42 more" in text
    assert "skeleton        ap10k, 17 keypoints" in text
    run("build", store, "--teacher", "oracle", *data)
    spec = HeatmapStore.open(store).spec
    assert (spec.rows, spec.skeleton.name, len(spec.annotations.categories)) == (8, "ap10k", 54)
    poses = tmp_path / "poses.json"
    teacher: Arguments = ["--teacher", "oracle", *data, "--no-flip", "--results", poses]
    all_animals = metrics(tmp_path / "all.json", *teacher)
    assert {pose["category_id"] for pose in json.loads(poses.read_text())} == {1, 26}
    one = metrics(tmp_path / "one.json", *teacher, "--category", "animal 26")
    assert (all_animals["protocol"]["persons"], one["protocol"]["persons"]) == (8, 4)
    assert (len(all_animals["protocol"]["categories"]), one["protocol"]["categories"]) == (54, [26])
