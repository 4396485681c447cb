"""Summaries of skeletons and of annotation files of known content."""

from pathlib import Path
from typing import Any

import numpy as np

from cache_tools.annotations import read_annotation_file
from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from pipeline.persons.annotation_summary import same_joints, summarize_annotations, summarize_skeleton
from tests.samples.coco_document import LEGS, coco_document, write_document


def summary_of(folder: Path, document: Any, **options: Any) -> dict[str, Any]:
    return summarize_annotations(read_annotation_file(write_document(folder, document), **options))


def test_a_skeleton_by_names_and_what_is_off() -> None:
    summary = summarize_skeleton(Skeleton(names=("hip_l", "hip_r", "toe"), mirror=(1, 0, 2), edges=((0, 2),)))
    assert summary["joints"] == [
        {"name": "hip_l", "mirror": "hip_r", "half": None, "sigma": 1.07 / 10, "sigma_source": "coco"},
        {"name": "hip_r", "mirror": "hip_l", "half": None, "sigma": 1.07 / 10, "sigma_source": "coco"},
        {"name": "toe", "mirror": "toe", "half": None, "sigma": 0.05, "sigma_source": "assumed"},
    ]
    assert summary["edges"] == [["hip_l", "toe"]]
    assert summary["off"] == ["no halves: no half-body views"]
    coco = summarize_skeleton(COCO)
    assert (coco["off"], [joint["half"] for joint in coco["joints"]]) == ([], ["upper"] * 11 + ["lower"] * 6)
    assert {joint["mirror"] for joint in summarize_skeleton(Skeleton(names=("a", "b")))["joints"]} == {None}


def test_labels_of_the_persons_that_are_read(tmp_path: Path) -> None:
    document = coco_document(persons=6, names=LEGS, category=7)
    document["categories"].insert(0, {"id": 3, "name": "empty"})
    document["images"].append({"id": 99, "file_name": "nobody.jpg", "height": 10, "width": 10})
    people = document["annotations"]
    people[0]["iscrowd"] = 1
    people[1]["bbox"] = None
    people[2]["keypoints"][2::3] = [0, 1, 2, 2, 2, 2]
    people[2]["num_keypoints"] = 5
    people.append({"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 1, 9, 9]})
    people.append({"id": 2, "image_id": 10, "category_id": 4, "bbox": [1, 1, 9, 9]})
    found = summary_of(tmp_path, document)
    assert (found["persons"], found["photos"], found["photos_listed"]) == (4, 2, 4)
    assert found["left_out"] == {"another category": 2, "crowd": 1, "no box": 1}
    assert [(c["id"], c["annotations"], c["persons"], c["read"]) for c in found["categories"]] == [
        (3, 1, 0, False),
        (7, 6, 4, True),
        (4, 1, 0, False),
    ]
    assert found["categories"][1]["keypoints"] == LEGS
    assert found["labels"] == {"ankle_l": [1, 0, 3], "knee_l": [0, 1, 3], **{name: [0, 0, 4] for name in LEGS[2:]}}
    assert (found["order"], found["remarks"]) == (None, [])
    counts = [*found["same_joints"].values()]
    assert counts == sorted(counts, reverse=True)
    assert {name: found["same_joints"][name] for name in ("coco", "mpii", "ap10k")} == {
        "coco": 6,
        "mpii": 6,
        "ap10k": 4,
    }


def test_another_order_is_told_joint_by_joint(tmp_path: Path) -> None:
    document = coco_document()
    order = [*range(1, 17), 0]
    document["categories"][0]["keypoints"] = [COCO.names[joint] for joint in order]
    for annotation in document["annotations"]:
        annotation["keypoints"] = np.reshape(annotation["keypoints"], (17, 3))[order].ravel().tolist()
    found = summary_of(tmp_path, document)
    assert found["skeleton"]["name"] == "coco"
    assert found["order"] is not None
    assert (found["order"]["nose"], found["order"]["left_eye"], found["order"]["right_ankle"]) == (16, 0, 15)


def test_a_stated_skeleton_has_the_order_of_the_file(tmp_path: Path) -> None:
    document = coco_document(names=LEGS)
    document["categories"][0]["keypoints"] = []
    stated = Skeleton(names=tuple(LEGS), name="legs")
    found = summary_of(tmp_path, document, skeleton=stated)
    assert (found["order"], found["skeleton"]["name"]) == (None, "legs")


def test_two_joints_of_one_category_are_only_in_part_those_of_a_built_in_skeleton() -> None:
    assert same_joints(Skeleton(names=("knee_l", "femoral_head_l")))["coco"] == 1
    assert same_joints(Skeleton(names=("bumper", "wheel"))) == {}
    assert same_joints(load_skeleton("coco_wholebody"))["coco"] == 17
