"""`kdcache predict` as typed: poses of photos and boxes, overlays, photos that are turned upright."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.images import read_image
from cache_tools.photos.options import UPRIGHT
from pipeline.cli import kdcache
from tests.samples.small_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a student that was never trained."""
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


def predict(*arguments: str | Path) -> Result:
    words = ["predict", *(str(argument) for argument in arguments), "--device", "cpu"]
    return CliRunner().invoke(kdcache, words, catch_exceptions=False)


def test_coco_results_and_overlays_are_written(shared_data: Path, tmp_path: Path, run: Path) -> None:
    persons = read_coco(shared_data / "coco" / "person_keypoints_val.json")
    photo = shared_data / "coco" / "val" / persons.file_name[0]
    image = int(persons.image_id[0])
    box = persons.box[persons.image_id == image]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": image, "bbox": b.tolist(), "score": 0.9} for b in box]))
    out, overlay = tmp_path / "poses.json", tmp_path / "overlay"
    result = predict(photo, "--student", run, "--boxes", boxes, "--out", out, "--overlay", overlay)
    poses = json.loads(out.read_text())
    assert result.output.splitlines()[-1] == f"{len(poses)} persons in 1 of 1 photos"
    # a detector's boxes may be doubles, and are suppressed where their poses are alike
    assert 1 <= len(poses) <= len(box)
    assert all(pose["bbox"] in box.tolist() for pose in poses)
    assert {pose["image_id"] for pose in poses} == {image}
    assert all(len(pose["keypoints"]) == 51 and pose["category_id"] == 1 for pose in poses)
    assert read_image(overlay / photo.name).shape == read_image(photo).shape
    assert not np.array_equal(read_image(overlay / photo.name), read_image(photo))


def test_without_boxes_a_photo_is_one_person(tmp_path: Path, run: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((24, 32, 3), 80 * number, np.uint8))
    out = tmp_path / "out" / "poses.json"
    predict(folder, "--student", run, "--out", out, "--no-flip")
    poses = json.loads(out.read_text())
    assert [(pose["image_id"], pose["file_name"], pose["bbox"]) for pose in poses] == [
        (number, f"{number}.png", [0, 0, 32, 24]) for number in range(3)
    ]


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """Write a 40x60 photo of a phone held upright: shown, it is 60 high and 40 wide, its white corner on the right."""
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[:10, :10] = 255
    done, data = cv2.imencode(".jpg", stored)
    assert done
    # APP1 after the first marker: one entry, orientation (0x0112) 6, big-endian
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    path = tmp_path / "phone" / "turned.jpg"
    path.parent.mkdir()
    path.write_bytes(data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data.tobytes()[2:])
    return path


def test_photos_are_turned_upright_unless_their_boxes_are_of_stored_pixels(
    turned: Path, tmp_path: Path, run: Path
) -> None:
    assert read_image(turned).shape == (40, 60, 3)
    assert read_image(turned, options=UPRIGHT)[5, 35].min() > 200
    boxes, out = tmp_path / "boxes.json", tmp_path / "poses.json"
    boxes.write_text(json.dumps([{"file_name": turned.name, "bbox": [0, 0, 60, 40]}]))
    for options, shape in (
        ([], (60, 40)),
        (["--no-exif"], (40, 60)),
        (["--boxes", boxes], (40, 60)),
        (["--boxes", boxes, "--exif"], (60, 40)),
    ):
        predict(turned, "--student", run, "--out", out, "--overlay", tmp_path / "o", *options)
        assert read_image(tmp_path / "o" / turned.name).shape[:2] == shape
        height, width = shape
        if "--boxes" not in options:
            assert [pose["bbox"] for pose in json.loads(out.read_text())] == [[0, 0, width, height]]


def test_a_network_and_an_output_are_required(tmp_path: Path, run: Path) -> None:
    result = predict(tmp_path)
    assert result.exit_code == 2
    assert "give one of --student RUN and --teacher REF" in result.output
    result = predict(tmp_path, "--student", run)
    assert result.exit_code == 2
    assert "nothing to write" in result.output


def test_sizes_and_categories_of_a_file_of_boxes_are_looked_at(tmp_path: Path, run: Path) -> None:
    photo, boxes, out = tmp_path / "a.png", tmp_path / "boxes.json", tmp_path / "poses.json"
    cv2.imwrite(str(photo), np.zeros((24, 32, 3), np.uint8))
    box = {"file_name": "a.png", "bbox": [0, 0, 20, 20], "category_id": 3, "height": 24, "width": 32}
    boxes.write_text(json.dumps([box]))
    with pytest.raises(ValueError, match=r"1 another category\. Its boxes are of category 3, read were 1"):
        predict(photo, "--student", run, "--boxes", boxes, "--out", out)
    predict(photo, "--student", run, "--boxes", boxes, "--category", "3", "--out", out)
    assert [(pose["category_id"], pose["image_id"]) for pose in json.loads(out.read_text())] == [(3, 1)]
    boxes.write_text(json.dumps([{**box, "height": 32, "width": 24}]))
    with pytest.raises(ValueError, match=r"a\.png is 24x32 pixels, its annotations say 32x24"):
        predict(photo, "--student", run, "--boxes", boxes, "--category", "3", "--out", out)
    result = predict(photo, "--student", run, "--category", "3", "--out", out)
    assert result.exit_code == 2
    assert "--category would be ignored: there are no --boxes" in result.output


def test_poses_may_be_of_another_skeleton(tmp_path: Path, run: Path) -> None:
    photo, out, legs = tmp_path / "a.png", tmp_path / "poses.json", tmp_path / "legs.yaml"
    cv2.imwrite(str(photo), np.full((24, 32, 3), 90, np.uint8))
    legs.write_text("keypoints: [Ankle_L, heel, hip]\n")
    predict(photo, "--student", run, "--out", out)
    whole = np.array(json.loads(out.read_text())[0]["keypoints"]).reshape(17, 3)
    predict(photo, "--student", run, "--skeleton", legs, "--joint", "hip=right_hip", "--out", out)
    part = np.array(json.loads(out.read_text())[0]["keypoints"]).reshape(3, 3)
    np.testing.assert_array_equal(part[[0, 2]], whole[[15, 12]])
    # the joint that the student does not know has no score
    assert part[1, 2] == 0
    result = predict(photo, "--student", run, "--joint", "hip=right_hip", "--out", out)
    assert "--joint would be ignored: without --skeleton the joints are the network's own" in result.output
