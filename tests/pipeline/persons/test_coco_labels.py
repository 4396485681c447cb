"""An annotation file that is parsed once."""

import json
from pathlib import Path

import pytest

from cache_tools.instances import read_coco
from pipeline.persons.coco_labels import CocoLabels, completed


def test_everything_comes_from_one_reading(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "coco" / "person_keypoints_val.json"
    path = tmp_path / "val.json"
    path.write_bytes(original.read_bytes())
    labels = CocoLabels(path)
    path.unlink()
    assert labels.persons.digest() == read_coco(original).digest()
    assert labels.instances(part=(1, 3)).digest() == read_coco(original, part=(1, 3)).digest()
    assert len(labels.images) == len(labels.coco.imgs) == 126
    assert labels.persons is labels.persons


def test_a_small_file_gets_the_keys_that_pycocotools_needs() -> None:
    person = {"id": 1, "image_id": 1, "bbox": [0, 0, 10, 20], "keypoints": [5, 5, 2] + [0] * 48}
    document = {"images": [{"id": 1, "file_name": "1.jpg", "height": 9, "width": 9}], "annotations": [person]}
    before = json.dumps(document)
    (annotation,) = completed(document)["annotations"]
    assert (annotation["area"], annotation["num_keypoints"], annotation["iscrowd"]) == (200, 1, 0)
    assert completed(document)["categories"] == [{"id": 1, "name": "person"}]
    assert json.dumps(document) == before


def test_what_a_file_states_is_kept() -> None:
    person = {"id": 1, "image_id": 1, "bbox": [0, 0, 10, 20], "area": 7, "iscrowd": 1, "num_keypoints": 0}
    (annotation,) = completed({"images": [], "annotations": [person]})["annotations"]
    assert (annotation["area"], annotation["iscrowd"], annotation["num_keypoints"]) == (7, 1, 0)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="expected a COCO person_keypoints file"):
        CocoLabels(tmp_path / "a.json")
