"""Persons in any photos: which photos are found, which boxes of a file are theirs."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cache_tools.photos.options import AS_STORED, UPRIGHT
from cache_tools.skeletons import COCO
from pipeline.persons.photo_boxes import find_boxes, ids_by_name
from pipeline.persons.photo_files import find_photos


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two photos of 24x32, named as COCO names files."""
    for number in (7, 12):
        cv2.imwrite(str(tmp_path / f"{number:012}.jpg"), np.zeros((24, 32, 3), np.uint8))
    return find_photos([tmp_path])


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_whole_photos_without_a_file_of_boxes(photos: list[Path]) -> None:
    persons = find_boxes(photos)
    assert persons.box.tolist() == [[0, 0, 32, 24]] * 2
    assert persons.photo_size == ((24, 32),) * 2
    assert persons.image_id.tolist() == [7, 12]
    assert (persons.photo_options, persons.detected) == (UPRIGHT, False)
    assert not find_boxes(photos, photo_options=AS_STORED).photo_options.exif


def test_photos_without_numbers_are_counted_from_one() -> None:
    assert ids_by_name([Path("a.jpg"), Path("7.jpg")]) == [1, 2]
    assert ids_by_name([Path("a/7.jpg"), Path("b/7.jpg")]) == [1, 2]


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
    assert (persons.photo_options, persons.detected) == (AS_STORED, True)


def test_annotations_give_single_persons(photos: list[Path], tmp_path: Path) -> None:
    person = {"id": 1, "image_id": 5, "bbox": [1, 2, 3, 4], "category_id": 2}
    document = {
        "images": [{"id": 5, "file_name": photos[0].name, "height": 24, "width": 32}],
        "categories": [{"id": 2, "name": "person", "keypoints": [*COCO.names]}],
        "annotations": [person, {**person, "id": 2, "bbox": [0, 0, 9, 9], "iscrowd": 1}],
    }
    persons = find_boxes(photos, write(tmp_path / "coco.json", document))
    assert persons.box.tolist() == [[1, 2, 3, 4]]
    assert (persons.image_id.tolist(), persons.category_id.tolist()) == ([5], [2])
    assert persons.photo_size == ((24, 32),)
    assert not persons.detected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("{}", "has no list 'images'"),
        ('"a"', "holds text: expected a list of boxes"),
        ('[{"image_id": 7, "bbox": [1, 2]}]', r"boxes.json, entry 0: its bbox is \[1, 2\]: expected x, y, width"),
        ('[{"image_id": 99, "bbox": [1, 2, 3, 4]}]', "has no box for any of 2 photos; left out: 1 in other photos"),
        ('[{"image_id": 7, "bbox": [1, 2, 3, 4], "category_id": 0}]', "Its boxes are of category 0, read were 1"),
    ],
)
def test_a_file_without_boxes_for_the_photos_is_refused(
    content: str, message: str, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        find_boxes(photos, tmp_path / "boxes.json")


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    """Frames 0001.jpg and 0002.jpg of two videos."""
    for video in ("video1", "video2"):
        (tmp_path / video).mkdir()
        for frame in ("0001.jpg", "0002.jpg"):
            cv2.imwrite(str(tmp_path / video / frame), np.zeros((24, 32, 3), np.uint8))
    return find_photos([tmp_path / "video1", tmp_path / "video2"])


def test_photos_of_the_same_name_are_told_apart_by_their_folders(videos: list[Path], tmp_path: Path) -> None:
    rows = [
        {"file_name": f"video{video}/000{frame}.jpg", "bbox": [video, frame, 5, 5], "image_id": frame}
        for video in (2, 1)
        for frame in (1, 2)
    ]
    for row in rows:
        row["file_name"] = str(row["file_name"]).replace("/", "\\")
    persons = find_boxes(videos, write(tmp_path / "boxes.json", rows))
    assert persons.box[:, :2].tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert persons.name == ("video1/0001.jpg", "video1/0002.jpg", "video2/0001.jpg", "video2/0002.jpg")
    # the file's ids are those of frames, so they are counted anew
    assert persons.image_id.tolist() == [1, 2, 3, 4]
    # the folder's own path decides where only one of them is given
    of_one = find_boxes(videos[2:], write(tmp_path / "boxes.json", rows))
    assert of_one.box[:, :2].tolist() == [[2, 1], [2, 2]]
    assert of_one.name == ("0001.jpg", "0002.jpg")


@pytest.mark.parametrize("row", [{"file_name": "0001.jpg"}, {"image_id": 1}, {"image_id": "0001.jpg"}])
def test_a_box_that_may_be_of_two_photos_is_refused(row: dict[str, Any], videos: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "boxes.json", [{**row, "bbox": [1, 2, 3, 4]}])
    with pytest.raises(ValueError, match=r"boxes\.json.* may be .*video1/0001\.jpg or .*video2/0001\.jpg"):
        find_boxes(videos, path)


def test_whole_photos_of_the_same_name_have_different_ids(videos: list[Path]) -> None:
    persons = find_boxes(videos)
    assert persons.image_id.tolist() == [1, 2, 3, 4]
    assert len(set(persons.name)) == 4


def test_without_image_ids_every_photo_is_its_own_image(videos: list[Path], tmp_path: Path) -> None:
    rows = [{"file_name": f"video{video}/0001.jpg", "bbox": [0, 0, 9, 9], "score": 0.5} for video in (1, 2, 1)]
    persons = find_boxes(videos, write(tmp_path / "boxes.json", rows))
    assert persons.name == ("video1/0001.jpg", "video1/0001.jpg", "video2/0001.jpg")
    assert persons.image_id.tolist() == [1, 1, 2]


def test_names_may_have_folders_that_are_not_there(photos: list[Path], tmp_path: Path) -> None:
    rows = [{"file_name": f"val2017/{photo.name}", "bbox": [0, 0, 9, 9]} for photo in photos]
    assert find_boxes(photos, write(tmp_path / "boxes.json", rows)).photo == tuple(photos)
    other = {"file_name": f"train2017/{photos[0].name}", "bbox": [0, 0, 9, 9]}
    with pytest.raises(ValueError, match=r"'val2017/.*7\.jpg' and 'train2017/.*7\.jpg' both may be"):
        find_boxes(photos, write(tmp_path / "boxes.json", [*rows, other]))


def test_ids_may_be_text(photos: list[Path], tmp_path: Path) -> None:
    rows = [{"image_id": "000000000012", "bbox": [1, 2, 3, 4]}, {"image_id": "7", "bbox": [5, 6, 7, 8]}]
    persons = find_boxes(photos, write(tmp_path / "boxes.json", rows))
    assert persons.image_id.tolist() == [7, 12]
    named = photos[0].rename(tmp_path / "a1f0.jpg")
    persons = find_boxes([named], write(tmp_path / "boxes.json", [{"image_id": "a1f0", "bbox": [1, 2, 3, 4]}]))
    assert persons.photo == (named,)


def test_categories_are_those_requested(photos: list[Path], tmp_path: Path) -> None:
    rows = [{"image_id": 7, "bbox": [1, 2, 3, 4], "category_id": category} for category in (1, 2, 3)]
    path = write(tmp_path / "boxes.json", rows)
    assert find_boxes(photos, path, category=["2", "3"]).category_id.tolist() == [2, 3]
    assert find_boxes(photos, path, default_categories=(2,)).category_id.tolist() == [2]
    with pytest.raises(ValueError, match="--category 'person'"):
        find_boxes(photos, path, category=["person"])
