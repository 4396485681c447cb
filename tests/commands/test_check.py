"""`kdcache check`: what build, train and evaluate would read, what is left out, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import kdcache
from pipeline.printable import printable
from tests.samples.coco_document import LEGS, coco_document, write_document
from tests.samples.command_line import run_command
from tests.samples.mutations import Mutation, mutated, mutations
from tests.samples.photo_files import content, picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write the photos of `coco_document` and return their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(coco_document()["images"]):
        (folder / image["file_name"]).write_bytes(content(picture(120, 160, number), "JPEG"))
    return folder


def check(annotations: Path, photos: Path, *more: str | Path) -> Result:
    words = ["check", annotations, "--images", photos, *more]
    return CliRunner().invoke(kdcache, [str(word) for word in words], catch_exceptions=False)


def test_what_would_be_read_is_printed_and_what_is_left_out_by_reason(photos: Path, tmp_path: Path) -> None:
    document = coco_document(persons=6)
    (photos / "002.jpg").write_bytes(content(picture(120, 160, 2), "JPEG"))
    document["categories"][0]["name"] = "per\x07son"
    document["annotations"][0]["iscrowd"] = 1
    document["annotations"][1]["keypoints"] = [0] * 51
    document["annotations"][2]["area"] = None
    boxes: list[dict[str, Any]] = [
        {"image_id": 10, "category_id": 1, "bbox": [1, 2, 30, 40], "score": score} for score in (0.9, 0.1)
    ]
    options = ("--boxes", write_document(tmp_path, boxes, "boxes.json"), "--score-threshold", "0.5", "--decode")
    receipt = tmp_path / "out" / "receipt.json"
    result = check(write_document(tmp_path, document), photos, *options, "--receipt", receipt)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{tmp_path}/persons.json: 17 keypoints of coco, category 1 (per\\x07son)",
        "4 persons with labelled keypoints in 2 of 3 photos; left out: 1 crowd, 1 no labelled keypoint",
        "note: 1 annotations state another num_keypoints than the keypoints that they label: counted again",
        "note: 1 labelled annotations state no area: 0.53 of their box's is taken",
        f"{tmp_path}/boxes.json: 1 boxes in 1 photos; left out: 1 score below 0.5",
        f"{photos}: all 3 photos are there, read as stored, each decoded whole",
    ]
    found = json.loads(receipt.read_text())["found"]
    assert [printable(line) for line in found] == result.stdout.splitlines()
    everybody = check(tmp_path / "persons.json", photos, "--unlabelled").stdout
    assert "5 persons with a box in 3 of 3 photos; left out: 1 crowd" in everybody
    assert "their content not looked at (--decode does)" in everybody


def test_photos_and_boxes_are_both_told_where_both_are_refused(photos: Path, tmp_path: Path) -> None:
    boxes = write_document(tmp_path, [{"image_id": 10, "bbox": [1, 2, 3], "score": 1}], "boxes.json")
    (photos / "001.jpg").unlink()
    receipt = tmp_path / "receipt.json"
    result = check(write_document(tmp_path, coco_document()), photos, "--boxes", boxes, "--receipt", receipt)
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 2
    of_boxes, of_photos = result.stderr.splitlines()
    assert of_boxes.startswith(f"error: {boxes}, entry 0: its bbox is [1, 2, 3]: expected x, y, width, height")
    assert of_photos.startswith(f"error: 1 of 2 photos are not in {photos}, 001.jpg first")
    assert not receipt.exists()


def test_photos_that_cannot_be_decoded_are_counted_and_named(photos: Path, tmp_path: Path) -> None:
    annotations = write_document(tmp_path, coco_document())
    assert check(annotations, photos, "--decode").exit_code == 0
    whole = (photos / "000.jpg").read_bytes()
    (photos / "000.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "001.jpg").write_bytes(content(picture(120, 155), "JPEG"))
    assert check(annotations, photos).exit_code == 0
    result = check(annotations, photos, "--decode")
    assert result.exit_code == 2
    assert "2 of 2 photos are refused: " in result.stderr
    assert "000.jpg is a damaged JPEG file" in result.stderr
    assert "001.jpg is 120x155 pixels, its annotations say 120x160" in result.stderr


def test_a_split_has_the_keypoints_of_another(photos: Path, tmp_path: Path) -> None:
    train = write_document(tmp_path, coco_document(), "train.json")
    reordered = coco_document()
    reordered["categories"][0]["keypoints"].reverse()
    assert check(write_document(tmp_path, reordered), photos, "--same-as", train).exit_code == 0
    result = check(write_document(tmp_path, coco_document(names=LEGS)), photos, "--same-as", train)
    assert result.exit_code == 2
    assert "category 1 person has other keypoints than coco: not nose, left_eye" in result.stderr
    assert "ankle_l, knee_l" in result.stderr
    # both files are read by a stated skeleton, the other one too
    nameless = coco_document()
    nameless["categories"][0]["keypoints"] = []
    mine = write_document(tmp_path, nameless)
    assert check(mine, photos, "--skeleton", "coco", "--same-as", train).exit_code == 0
    legs = write_document(tmp_path, coco_document(names=LEGS), "legs.json")
    result = check(mine, photos, "--skeleton", "coco", "--same-as", legs)
    assert result.exit_code == 2
    assert "legs.json" in result.stderr


@pytest.mark.parametrize("change", ["none", "others"])
def test_a_file_without_persons_is_told_from_one_whose_persons_are_left_out(
    photos: Path, tmp_path: Path, change: str
) -> None:
    document = coco_document(persons=2)
    if change == "none":
        document["annotations"] = []
    for annotation in document["annotations"]:
        annotation["iscrowd"] = 1
    error = check(write_document(tmp_path, document), photos).stderr
    if change == "none":
        assert "lists 1 photos and no person on them: its 'annotations' are empty" in error
    else:
        assert "no person with labelled keypoints inside its photo; left out: 2 crowd" in error


DOCUMENT = coco_document(persons=2, persons_a_photo=1)
BOXES = [
    {"image_id": 10, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5, "height": 120, "width": 160},
    {"file_name": "001.jpg", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 1},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the photos of DOCUMENT."""
    folder = tmp_path_factory.mktemp("mutations")
    for number, image in enumerate(DOCUMENT["images"]):
        (folder / image["file_name"]).write_bytes(content(picture(120, 160, number), "JPEG"))
    return folder


@given(st.sampled_from([*mutations(DOCUMENT)]), st.sampled_from([None, *mutations(BOXES)]))
def test_mutations_of_annotations_and_boxes_end_in_a_line(
    folder: Path, of_labels: Mutation, of_boxes: Mutation | None
) -> None:
    labels = write_document(folder, mutated(DOCUMENT, of_labels), "labels.json")
    boxes = write_document(folder, mutated(BOXES, *([of_boxes] if of_boxes else [])), "boxes.json")
    ended = run_command("check", labels, "--images", folder, "--boxes", boxes)
    assert ended.code in (0, 2), ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert (len(errors) > 0) is (ended.code == 2)
    assert "Traceback" not in ended.stderr
    assert all("labels.json" in line or "boxes.json" in line or "photos are not in" in line for line in errors), errors
