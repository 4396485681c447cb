"""Boxes of annotated persons and of a detector's file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.persons.boxes import annotated, detected
from pipeline.persons.coco_labels import CocoLabels
from tests.samples.coco_document import coco_document, write_document


@pytest.fixture(scope="module")
def labels(shared_data: Path) -> CocoLabels:
    return CocoLabels(shared_data / "coco" / "person_keypoints_val.json")


def test_a_detectors_boxes_are_sorted_by_image_and_filtered(labels: CocoLabels, tmp_path: Path) -> None:
    last, first = max(labels.photos.ids()), min(labels.photos.ids())
    row = {"image_id": last, "category_id": 1, "bbox": [1.0, 2, 30, 40], "score": 0.5}
    others = [
        {**row, "image_id": first, "score": 0.9},
        {**row, "category_id": 2},
        {**row, "bbox": [1, 2, 0, 40]},
        {**row, "score": 0.1},
        {**row, "image_id": -1},
    ]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([row, *others]))
    boxes = detected(path, labels, score_threshold=0.3)
    assert boxes.image_id.tolist() == [first, last]
    assert boxes.score.tolist() == [0.9, 0.5]
    assert boxes.file_name == (labels.photos[first].file_name, labels.photos[last].file_name)
    assert boxes.image_size[1].tolist() == [labels.photos[last].height, labels.photos[last].width]
    assert (boxes.protocol.boxes, boxes.protocol.boxes_in_other_images) == (2, 1)
    assert not boxes.annotated


def test_a_selection_of_boxes_counts_what_is_left(labels: CocoLabels) -> None:
    boxes = annotated(labels.persons, labels.category_of)
    kept = boxes.take(boxes.image_id == boxes.image_id[0])
    assert boxes.annotated
    assert len(kept) == kept.protocol.boxes == (labels.persons.image_id == labels.persons.image_id[0]).sum()
    np.testing.assert_array_equal(kept.box, labels.persons.box[: len(kept)])


BOX = {"image_id": 785, "category_id": 1, "bbox": [1.0, 2, 30, 40], "score": 0.5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "has no box for the images of .*; left out: 0 in other images"),
        (json.dumps([{key: value for key, value in BOX.items() if key != "score"}]), "entry 0: it has no score"),
        (json.dumps([{**BOX, "category_id": 0}]), "left out: 1 another category.* of category 0, read were 1"),
        ("{", "is not JSON"),
        (
            json.dumps([{**BOX, "file_name": "000000005060.jpg"}]),
            r"entry 0: its image_id 785 is 000000000785\.jpg in .*, its file_name is 000000005060\.jpg",
        ),
        (json.dumps([{**BOX, "height": 10, "width": 20}]), "entry 0: its photo is 10x20 pixels, .* says 425x640"),
    ],
)
def test_a_file_without_detections_is_refused(content: str, message: str, labels: CocoLabels, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        detected(path, labels)


def test_images_are_found_by_number_text_or_name(labels: CocoLabels, tmp_path: Path) -> None:
    unnamed = {key: value for key, value in BOX.items() if key != "image_id"}
    rows: list[dict[str, Any]] = [
        BOX,
        {**BOX, "image_id": "000000000785"},
        {**unnamed, "file_name": "val2017/000000000785.jpg"},
        {**BOX, "file_name": "val2017/000000000785.jpg", "height": 425, "width": 640},
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(rows))
    boxes = detected(path, labels)
    assert boxes.image_id.tolist() == [785] * 4
    assert boxes.detected


def test_an_annotation_file_gives_boxes_that_are_not_a_detectors(labels: CocoLabels) -> None:
    boxes = detected(labels.path, labels)
    # those of persons without labels, too
    assert len(boxes) > len(labels.persons)
    assert not boxes.detected
    assert not boxes.annotated
    assert set(boxes.score.tolist()) == {1.0}


def test_boxes_of_other_categories_than_the_labels_are_refused(tmp_path: Path) -> None:
    labels = CocoLabels(write_document(tmp_path, coco_document(category=7)))
    other = write_document(tmp_path, coco_document(category=8), "boxes.json")
    with pytest.raises(ValueError, match=r"has boxes of category 8, .* labels of category 7"):
        detected(other, labels)
