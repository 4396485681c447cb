"""Photos and boxes -> keypoints: geometry of the crop and back, order, reading ahead, the command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.geometry import apply, cell_to_crop, crop_to_image, invert
from cache_tools.images import read_image
from cache_tools.instances import read_coco
from pipeline.cli import kdcache
from pipeline.report.overlay import draw_pose, unique_names
from student import prediction as module
from student.checkpoint import save_weights, write_record
from student.heatmaps.targets import render_targets
from student.inference import Inference
from student.models.student import create_student
from student.prediction import decode_keypoints, predict, predict_heatmaps, read_crops
from student.settings import StudentSettings


class ColourFinder:
    """Puts every joint on the green dot in the crop: a teacher whose truth is known."""

    input_size, heatmap_size = (128, 96), (32, 24)

    def __init__(self, frame: str) -> None:
        self.frame = frame
        self.calls = 0

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.calls += 1
        to_cell = invert(cell_to_crop(self.frame, self.input_size, self.heatmap_size))
        xy = np.full((len(crops), 17, 2), 5.0)
        for row, crop in enumerate(crops):
            weight = crop[..., 1].astype(float) * (crop[..., 1] > 30)
            if weight.sum():
                y, x = np.indices(weight.shape)
                xy[row] = apply(to_cell, [[(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()]])
        return render_targets(torch.from_numpy(xy), self.heatmap_size, 2.0).numpy()


@pytest.fixture
def photos(tmp_path: Path) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Three photos with two persons each; every person is a box with a green dot (N, 2) in it."""
    rng = np.random.default_rng(0)
    paths, boxes, dots = [], [], []
    for number in range(3):
        image = np.zeros((240, 320, 3), np.uint8)
        for left in (10, 170):
            box = np.array([left, 20, 120, 200.0])
            dot = box[:2] + rng.uniform(0.3, 0.7, 2) * box[2:]
            cv2.circle(image, np.round(dot * 16).astype(int), 4 * 16, (0, 255, 0), -1, cv2.LINE_AA, 4)
            boxes.append(box)
            dots.append(dot)
            paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths, np.array(boxes), np.array(dots)


@pytest.mark.parametrize("frame", ["udp", "stride"])
def test_what_lies_in_the_photo_is_found_there(frame: str, photos: tuple[list[Path], np.ndarray, np.ndarray]) -> None:
    paths, boxes, dots = photos
    teacher = ColourFinder(frame)
    found = predict(teacher, paths, boxes, Inference(flip=False, batch_size=4))
    assert teacher.calls == 2
    np.testing.assert_allclose(found[:, :, :2], np.repeat(dots[:, None], 17, 1), atol=0.6)
    assert (found[:, :, 2] > 0.9).all()


@pytest.mark.parametrize(("frame", "tolerance"), [("udp", 0.8), ("stride", 1.2)])
def test_the_flip_test_moves_nothing(
    frame: str, tolerance: float, photos: tuple[list[Path], np.ndarray, np.ndarray]
) -> None:
    """In the stride frame the mirrored maps lie a quarter of a cell off, by HRNet's rule: half of that in the mean."""
    paths, boxes, dots = photos
    found = predict(ColourFinder(frame), paths, boxes, Inference(flip=True))
    np.testing.assert_allclose(found[:, 0, :2], dots, atol=tolerance)


def test_photos_may_be_arrays_or_one_photo_of_several_persons(
    photos: tuple[list[Path], np.ndarray, np.ndarray],
) -> None:
    paths, boxes, _ = photos
    network = ColourFinder("udp")
    expected = predict(network, paths, boxes)
    images = [read_image(path) for path in paths]
    np.testing.assert_array_equal(predict(network, images, boxes), expected)
    np.testing.assert_array_equal(predict(network, np.stack(images), boxes), expected)
    for photo in (paths[0], str(paths[0]), images[0]):
        np.testing.assert_array_equal(predict(network, photo, boxes[:2]), expected[:2])
    whole = [[0, 0, 320, 240]]
    np.testing.assert_array_equal(predict(network, paths[0]), predict(network, paths[:1], whole))
    assert predict(network, paths[::2]).shape == (3, 17, 3)
    with pytest.raises(ValueError, match="6 photos and 2 boxes: expected the photo of each box, or one photo"):
        predict(network, paths, boxes[:2])
    with pytest.raises(ValueError, match=r"expected RGB \(height, width, 3\) in uint8"):
        predict(network, [images[0] / 255])


def test_flipped_maps_are_of_the_same_joints() -> None:
    class Sided:
        """Sees joint 5 on the left of the crop and joint 6 on the right, mirrored or not."""

        input_size, heatmap_size, frame = (64, 48), (16, 12), "udp"

        def __call__(self, crops: np.ndarray) -> np.ndarray:
            maps = np.zeros((len(crops), 17, 16, 12), np.float32)
            maps[:, 5, 8, 2] = maps[:, 6, 8, 9] = 1
            return maps

    crops = np.zeros((1, 64, 48, 3), np.uint8)
    np.testing.assert_array_equal(predict_heatmaps(Sided(), crops, flip=True), predict_heatmaps(Sided(), crops))


def test_a_photo_is_read_once_and_crops_come_in_order(
    photos: tuple[list[Path], np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, boxes, _ = photos
    read: list[Path] = []

    def counted(path: str, size: tuple[int, int] | None, *, upright: bool) -> np.ndarray:
        read.append(Path(path))
        return original(path, size, upright=upright)

    original = module.read_image
    monkeypatch.setattr(module, "read_image", counted)
    matrices = crop_to_image(boxes, "udp", (128, 96))
    crops = list(read_crops(paths, matrices, (128, 96), workers=3))
    assert sorted(read) == sorted(set(paths))
    for path, matrix, crop in zip(paths, matrices, crops, strict=True):
        np.testing.assert_array_equal(crop, module.cut(original(path, None), matrix, (128, 96)))


def test_a_photo_of_another_size_than_annotated(photos: tuple[list[Path], np.ndarray, np.ndarray]) -> None:
    paths, boxes, _ = photos
    with pytest.raises(ValueError, match="240x320 pixels, its annotations say 100x100"):
        predict(ColourFinder("udp"), paths, boxes, photo_sizes=[(100, 100)] * len(paths))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that has learned nothing: enough to see where files go."""
    settings = StudentSettings.model_validate(
        {
            "name": "tiny",
            "model": {
                "backbone": "timm:resnet10t",
                "backbone_options": {"channels": [8, 8, 8, 8]},
                "weights": "none",
                "input_size": (64, 64),
                "heatmap_size": (16, 16),
            },
        }
    )
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    write_record(folder, {"settings": settings.model_dump(mode="json"), "data": {}, "finished": True})
    save_weights(folder / "best.safetensors", create_student(settings.model))
    return folder


def test_the_command_writes_coco_results_and_overlays(shared_data: Path, tmp_path: Path, run: Path) -> None:
    annotations = shared_data / "coco" / "person_keypoints_val.json"
    persons = read_coco(annotations)
    name = persons.file_name[0]
    photo = shared_data / "coco" / "val" / name
    boxes = tmp_path / "boxes.json"
    mine = persons.image_id == persons.image_id[0]
    image = int(persons.image_id[0])
    boxes.write_text(json.dumps([{"image_id": image, "bbox": b.tolist(), "score": 0.9} for b in persons.box[mine]]))
    arguments = ["predict", str(photo), "--student", str(run), "--boxes", str(boxes), "--device", "cpu"]
    outputs = ["--out", str(tmp_path / "p.json"), "--overlay", str(tmp_path / "overlay")]
    printed = CliRunner().invoke(kdcache, [*arguments, *outputs], catch_exceptions=False).output
    found = json.loads((tmp_path / "p.json").read_text())
    assert f"{mine.sum()} persons in 1 of 1 photos" in printed
    assert [f["bbox"] for f in found] == persons.box[mine].tolist()
    assert {f["image_id"] for f in found} == {image}
    assert all(len(f["keypoints"]) == 51 and f["category_id"] == 1 for f in found)
    assert read_image(tmp_path / "overlay" / name).shape == read_image(photo).shape


def test_without_boxes_a_photo_is_one_person(
    tmp_path: Path, run: Path, photos: tuple[list[Path], np.ndarray, np.ndarray]
) -> None:
    folder = photos[0][0].parent
    out = tmp_path / "out" / "p.json"
    arguments = ["predict", str(folder), "--student", str(run), "--out", str(out), "--no-flip", "--device", "cpu"]
    CliRunner().invoke(kdcache, arguments, catch_exceptions=False)
    found = json.loads(out.read_text())
    assert [(f["image_id"], f["file_name"], f["bbox"]) for f in found] == [
        (number, f"{number}.png", [0, 0, 320, 240]) for number in range(3)
    ]


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A photo of 40x60 that a phone held upright: shown, it is 60 high and 40 wide, its white corner on the right."""
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


def test_a_photo_of_one_s_own_is_turned_upright_and_coco_s_is_not(turned: Path, tmp_path: Path, run: Path) -> None:
    assert read_image(turned).shape == (40, 60, 3)
    assert read_image(turned, upright=True)[5, 35].min() > 200
    boxes, out = tmp_path / "boxes.json", tmp_path / "p.json"
    boxes.write_text(json.dumps([{"file_name": turned.name, "bbox": [0, 0, 60, 40]}]))
    common = ["predict", str(turned), "--student", str(run), "--device", "cpu", "--out", str(out)]
    for options, shape in (
        ([], (60, 40)),
        (["--no-exif"], (40, 60)),
        (["--boxes", str(boxes)], (40, 60)),
        (["--boxes", str(boxes), "--exif"], (60, 40)),
    ):
        CliRunner().invoke(kdcache, [*common, *options, "--overlay", str(tmp_path / "o")], catch_exceptions=False)
        assert read_image(tmp_path / "o" / turned.name).shape[:2] == shape
    boxless = [sorted(found["bbox"]) for found in json.loads(out.read_text())]
    assert boxless == [[0, 0, 40, 60]]


def test_the_command_asks_for_what_it_needs(tmp_path: Path, run: Path) -> None:
    for given, told in (
        ([], "give one of --student RUN and --teacher REF"),
        (["--student", str(run)], "nothing to write"),
    ):
        result = CliRunner().invoke(kdcache, ["predict", str(tmp_path), *given])
        assert result.exit_code == 2
        assert told in result.output


def test_left_and_right_are_drawn_apart_and_unsure_joints_not_at_all() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    pose = np.zeros((17, 3))
    pose[[5, 7]] = [(20, 20, 1), (20, 80, 1)]  # left arm
    pose[[6, 8]] = [(80, 20, 1), (80, 80, 1)]  # right arm
    pose[9] = (50, 95, 0.1)
    draw_pose(image, pose)
    left, right = image[50, 20].astype(int), image[50, 80].astype(int)
    grey = np.array([0.299, 0.587, 0.114])
    assert left @ grey - right @ grey > 60
    assert (image[90:, 45:55] == 128).all()
    untouched = image.copy()
    draw_pose(image, np.full((17, 3), np.nan))
    np.testing.assert_array_equal(image, untouched)


def test_photos_of_one_name_do_not_overwrite_each_other() -> None:
    names = unique_names([Path("a/1.jpg"), Path("b/1.png"), Path("b/2.jpg")])
    assert list(names.values()) == ["a_1.jpg", "b_1.jpg", "2.jpg"]


def test_a_diverged_network_is_told() -> None:
    maps = np.zeros((1, 17, 16, 12), np.float32)
    maps[0, 3, 4, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        decode_keypoints(maps, np.eye(2, 3)[None], torch.device("cpu"))
