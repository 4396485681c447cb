"""Hip-knee-ankle angles through crops, heatmaps and files: an oracle that knows the joints, and a real network."""

import csv
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.coco import MIRROR
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert, mirror
from pipeline.commands.hka import command
from pipeline.hka import NOTICE, varus
from pipeline.hka_agreement import Comparison, agreement, calibrate
from pipeline.hka_evaluate import evaluate_exact, evaluate_teacher, render_people
from pipeline.hka_predict import joints_in_images
from pipeline.hka_report import report, table
from pipeline.photo_boxes import boxes_from_file, find_photos, whole_photos


class Oracle:
    """A network without error: Gaussians at keypoints (N, 17, 2) of images, for boxes asked in the same order."""

    name, digest, licence = "oracle", "0" * 64, "none"
    input_size, heatmap_size, frame, sigma = (256, 192), (64, 48), "udp", 2.0

    def __init__(self, keypoints: np.ndarray, boxes: np.ndarray) -> None:
        to_cells = invert(compose(cell_to_crop(self.frame), crop_to_image(boxes, self.frame)))
        self.waiting = list(apply(to_cells, keypoints))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        y, x = np.mgrid[:64, :48]
        cells = np.array([self.waiting.pop(0) for _ in crops])[..., None, None]
        return np.exp(-((x - cells[:, :, 0]) ** 2 + (y - cells[:, :, 1]) ** 2) / 8).astype(np.float32)


def turned(degrees: float, size: int, mirrored: bool) -> np.ndarray:
    """Matrix (2, 3) that mirrors, or not, and then turns an image of side `size` about its middle."""
    c, s, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), (size - 1) / 2
    rotation = np.array([[c, -s, middle - c * middle + s * middle], [s, c, middle - s * middle - c * middle]])
    return compose(mirror(size), rotation) if mirrored else rotation


@pytest.fixture(scope="module")
def people():
    return render_people(8, (160, 320), seed=3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 25, 90, 180, -130])
def test_exact_keypoints_give_the_angle_within_a_tenth_of_a_degree(people, degrees, mirrored):
    rows = people.height == 320
    moves = turned(degrees, 320, mirrored)
    images = [cv2.warpAffine(image, moves, (320, 320)) for image in np.array(people.image, object)[rows]]
    keypoints = apply(moves, people.keypoints[rows])
    keypoints = keypoints[:, MIRROR] if mirrored else keypoints
    low, high = keypoints.min(1) - 15, keypoints.max(1) + 15  # a body is larger than its joints
    boxes = np.concatenate([low, high - low], axis=1)
    found = varus(joints_in_images(Oracle(keypoints, boxes), iter(images), boxes, flip=False).xy)
    truth = varus(people.keypoints[rows])
    assert (truth.min(0) < -2).all()
    assert (truth.max(0) > 2).all()  # both signs on both legs
    assert np.abs(found - (truth[:, ::-1] if mirrored else truth)).max() < 0.1


def test_rendered_people_have_the_axis_asked_for_and_coco_keypoints_see_another(people):
    result = evaluate_exact(people)
    found = agreement(result.rendered[320]["axis"])
    assert np.abs(people.axis).max() <= 15.01
    assert 1.5 < found.bias < 5  # a COCO hip is not the femoral head
    assert 0.5 < found.sd < 4
    assert result.calibration is not None
    assert result.calibration.residual_rms < result.calibration.uncorrected_rms


def test_a_real_network_is_measured_against_both_truths(shared_data, people):
    from pipeline.teachers import load_teacher

    teacher = load_teacher(f"onnx:{shared_data}/teachers/tinypose_256x192.onnx?frame=stride", threads=1)
    result = evaluate_teacher(teacher, people, None, None)
    against = {truth: agreement(legs) for truth, legs in result.rendered[320].items()}
    assert against["keypoints"].correlation > 0.8
    assert against["keypoints"].inside_own_95 > 0.8  # the uncertainty stated is honest
    assert "mechanical axis" in table([result])
    written = json.loads(json.dumps(report([result], {})))
    assert written["notice"] == NOTICE
    assert len(written["models"][0]["pairs"]["rendered 320 axis"]) == 16


def test_agreement_is_that_of_bland_and_altman():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-15, 15, 4000)
    found = truth + 1.5 + rng.normal(0, 2, 4000)
    found[:10] = np.nan
    got = agreement(Comparison(found, truth, np.full(4000, 2.5)))
    assert (got.legs, got.refused) == (3990, 10)
    assert got.bias == pytest.approx(1.5, abs=0.1)
    assert (got.lower, got.upper) == (
        pytest.approx(1.5 - 1.96 * 2, abs=0.2),
        pytest.approx(1.5 + 1.96 * 2, abs=0.2),
    )
    assert agreement(Comparison(found[:2], truth[:2], found[:2])).bias is None


def test_calibration_finds_a_line_in_spite_of_a_few_wrong_legs():
    rng = np.random.default_rng(0)
    found = rng.uniform(-15, 15, 400)
    truth = -3 + 1.1 * found + rng.normal(0, 0.5, 400)
    found[:20] += 60
    line = calibrate(Comparison(found, truth, found), np.arange(400) % 2 == 1)
    assert line.slope == pytest.approx(1.1, abs=0.03)
    assert line.intercept == pytest.approx(-3, abs=0.2)
    with pytest.raises(ValueError, match="render more"):
        calibrate(Comparison(found[:12], truth[:12], found[:12]), np.arange(12) % 2 == 1)


FACTORY = """
import numpy as np
class Still:
    name, digest, licence = "still", "1" * 64, "none"
    input_size, heatmap_size, frame, sigma = (256, 192), (64, 48), "udp", 2.0
    cells = {5: (29, 16), 6: (19, 16), 11: (26, 29), 12: (22, 29), 13: (29, 39), 14: (20, 39), 15: (27, 49),
             16: (21, 49)}
    def __call__(self, crops):
        y, x = np.mgrid[:64, :48]
        maps = np.zeros((len(crops), 17, 64, 48), np.float32)
        for joint, (u, v) in self.cells.items():
            maps[:, joint] = np.exp(-((x - u) ** 2 + (y - v) ** 2) / 8)
        return maps
def make(device):
    return Still()
"""


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    (tmp_path / "still_teacher.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / name), np.full((512, 384, 3), 90, np.uint8))
    return folder


def run(*arguments: object):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_the_command_writes_rows_and_pictures(photos, tmp_path):
    network = ("--teacher", "still_teacher:make", "--no-flip")
    result = run(photos, *network, "--out", tmp_path / "legs.csv", "--overlay", tmp_path / "drawn")
    assert NOTICE in result.output
    rows = list(csv.DictReader((tmp_path / "legs.csv").open()))
    assert [(Path(r["photo"]).name, r["side"]) for r in rows] == [
        (n, s) for n in ("a.jpg", "b.jpg") for s in ("left", "right")
    ]
    assert float(rows[0]["deviation_degrees"]) == pytest.approx(28, abs=1)
    assert float(rows[0]["medial_angle_degrees"]) == pytest.approx(180 - float(rows[0]["deviation_degrees"]))
    assert "knee_bent" in rows[0]["flags"]
    assert rows[0]["notice"] == NOTICE
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["a.jpg", "b.jpg"]
    run(photos, *network, "--convention", "valgus", "--out", tmp_path / "legs.json")
    written = json.loads((tmp_path / "legs.json").read_text())
    assert written["notice"] == NOTICE
    assert written["legs"][0]["deviation_degrees"] == pytest.approx(-float(rows[0]["deviation_degrees"]))


def test_evaluation_writes_numbers_and_plots_and_its_calibration_can_be_used(photos, tmp_path):
    network = ("--teacher", "still_teacher:make", "--no-flip")
    result = run("--evaluate", *network, "--rendered", 12, "--heights", "80", "--out", tmp_path / "hka.json")
    assert "exact keypoints" in result.output
    assert (tmp_path / "hka.png").stat().st_size > 10_000
    assert (tmp_path / "hka.svg").exists()
    run(photos, *network, "--calibration", tmp_path / "hka.json", "--out", tmp_path / "legs.csv")
    assert next(csv.DictReader((tmp_path / "legs.csv").open()))["calibrated_degrees"]
    other = json.loads((tmp_path / "hka.json").read_text())
    for model in other["models"]:
        model["digest"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="none of this network"):
        run(photos, *network, "--calibration", tmp_path / "other.json")


def test_boxes_of_a_file_go_to_their_photos(photos, tmp_path):
    found = find_photos([photos, photos / "a.jpg"])
    assert [p.name for p in found] == ["a.jpg", "b.jpg"]
    assert whole_photos(found).box.tolist() == [[0, 0, 384, 512]] * 2
    boxes = [{"file_name": "x/b.jpg", "bbox": [1, 2, 3, 4]}, {"image_id": 7, "bbox": [5, 6, 7, 8], "score": 0.1}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    assert boxes_from_file(tmp_path / "boxes.json", found).photo == (found[1],)
    seventh = photos / "000000000007.jpg"
    seventh.write_bytes(found[0].read_bytes())
    assert boxes_from_file(tmp_path / "boxes.json", [seventh]).box.tolist() == [[5, 6, 7, 8]]
    with pytest.raises(ValueError, match="score below"):
        boxes_from_file(tmp_path / "boxes.json", [seventh], score_threshold=0.5)
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(ValueError, match="not a list of boxes"):
        boxes_from_file(tmp_path / "boxes.json", found)
    with pytest.raises(FileNotFoundError):
        find_photos([photos / "none.jpg"])
