"""Persons in any photos: which photos are found, which boxes of a file are theirs."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.persons.photo_boxes import boxes_from_file, find_boxes, find_photos, ids_by_name


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two photos of 24x32, named as COCO names files."""
    for number in (7, 12):
        cv2.imwrite(str(tmp_path / f"{number:012}.jpg"), np.zeros((24, 32, 3), np.uint8))
    return find_photos([tmp_path])


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_photos_of_files_and_folders_are_found_once_in_order(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    assert [photo.name for photo in photos] == ["000000000007.jpg", "000000000012.jpg"]
    assert find_photos([photos[1], tmp_path]) == [photos[1], photos[0]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no photo: expected files that end in \.jpg"):
        find_photos([tmp_path / "empty"])
    with pytest.raises(FileNotFoundError, match="there is no photo or folder"):
        find_photos([tmp_path / "nowhere.jpg"])


def test_whole_photos_without_a_file_of_boxes(photos: list[Path]) -> None:
    persons = find_boxes(photos)
    assert persons.box.tolist() == [[0, 0, 32, 24]] * 2
    assert persons.image_id.tolist() == [7, 12]
    assert (persons.upright, persons.detected) == (True, False)
    assert not find_boxes(photos, upright=False).upright


def test_photos_without_numbers_are_counted_from_one() -> None:
    assert ids_by_name([Path("a.jpg"), Path("7.jpg"), Path("a.jpg")]).tolist() == [1, 2, 1]


def test_a_detectors_boxes_are_found_by_name_or_number(photos: list[Path], tmp_path: Path) -> None:
    rows = [
        {"image_id": 12, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"image_id": 12, "bbox": [1, 2, 3, 4], "score": 0.1},
        {"image_id": 12, "bbox": [1, 2, 0, 4], "score": 0.9},
        {"image_id": 12, "bbox": [1, 2, 3, 4], "score": 0.9, "category_id": 3},
        {"image_id": 99, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"file_name": "folder/000000000007.jpg", "image_id": 7, "bbox": [5, 6, 7, 8]},
    ]
    persons = find_boxes(photos, write(tmp_path / "boxes.json", rows), score_threshold=0.5)
    assert persons.photo == tuple(photos)
    assert persons.box.tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]
    assert persons.score.tolist() == [1.0, 0.9]
    assert persons.image_id.tolist() == [7, 12]
    assert (persons.upright, persons.detected) == (False, True)


def test_annotations_give_single_persons(photos: list[Path], tmp_path: Path) -> None:
    document = {
        "images": [{"id": 5, "file_name": photos[0].name}],
        "annotations": [
            {"image_id": 5, "bbox": [1, 2, 3, 4]},
            {"image_id": 5, "bbox": [0, 0, 9, 9], "iscrowd": 1},
            {"image_id": 6, "bbox": [0, 0, 9, 9]},
        ],
    }
    persons = boxes_from_file(write(tmp_path / "coco.json", document), photos)
    assert persons.box.tolist() == [[1, 2, 3, 4]]
    assert persons.image_id.tolist() == [5]
    assert not persons.detected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("{}", "is not a list of boxes"),
        ('[{"bbox": [1, 2]}]', "is not a list of boxes"),
        ('[{"image_id": 99, "bbox": [1, 2, 3, 4]}]', "has no box for any of 2 photos: its 1 boxes are for other"),
    ],
)
def test_a_file_without_boxes_for_the_photos_is_refused(
    content: str, message: str, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        boxes_from_file(tmp_path / "boxes.json", photos)
