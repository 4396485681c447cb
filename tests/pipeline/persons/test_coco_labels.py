"""An annotation file that is parsed once."""

from pathlib import Path

import pytest

from cache_tools.annotations.annotation_file import read_coco
from pipeline.persons.coco_labels import CocoLabels
from tests.samples.coco_document import coco_document, write_document


def test_everything_comes_from_one_reading(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "coco" / "person_keypoints_val.json"
    path = tmp_path / "val.json"
    path.write_bytes(original.read_bytes())
    labels = CocoLabels(path)
    path.unlink()
    assert labels.persons.digest() == read_coco(original).digest()
    assert labels.instances(part=(1, 3)).digest() == read_coco(original, part=(1, 3)).digest()
    assert len(labels.photos) == len(labels.coco.imgs) == 126
    assert labels.persons is labels.persons


def test_the_document_numbers_annotations_from_one_and_states_every_key(tmp_path: Path) -> None:
    document = coco_document(persons=2)
    document["annotations"][0] |= {"id": 0, "iscrowd": 1}
    for key in ("area", "num_keypoints", "iscrowd"):
        del document["annotations"][1][key]
    crowd, person = CocoLabels(write_document(tmp_path, document)).document()["annotations"]
    assert (crowd["id"], crowd["iscrowd"], crowd["area"]) == (1, 1, 2000)
    assert (person["id"], person["iscrowd"], person["area"], person["num_keypoints"]) == (2, 0, 0.53 * 60 * 80, 17)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="expected a COCO keypoint annotation file"):
        CocoLabels(tmp_path / "a.json")
