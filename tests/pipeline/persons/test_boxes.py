"""Boxes of annotated persons and of a detector's file."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.persons.boxes import annotated, detected
from pipeline.persons.coco_labels import CocoLabels


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
    boxes = annotated(labels.persons)
    kept = boxes.take(boxes.image_id == boxes.image_id[0])
    assert boxes.annotated
    assert len(kept) == kept.protocol.boxes == (labels.persons.image_id == labels.persons.image_id[0]).sum()
    np.testing.assert_array_equal(kept.box, labels.persons.box[: len(kept)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "leaves no box to evaluate: 0 detections"),
        ('[{"image_id": 139, "bbox": [0, 0, 5, 5]}]', r"expected .*image_id, category_id, bbox, score"),
        ("{", "is not JSON"),
    ],
)
def test_a_file_without_detections_is_refused(content: str, message: str, labels: CocoLabels, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        detected(path, labels)
