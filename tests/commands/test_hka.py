"""`kdcache hka` as typed: rows, pictures, calibration, and what it refuses."""

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.images import read_image
from pipeline.commands.hka import command
from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import NOTICE
from pipeline.hka.table import extrapolated
from pipeline.persons.photo_boxes import boxes_from_file, find_photos, whole_photo_boxes

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
    result = run("measure", photos, *network, "--out", tmp_path / "legs.csv", "--overlay", tmp_path / "drawn")
    assert NOTICE in result.output
    rows = list(csv.DictReader((tmp_path / "legs.csv").open()))
    assert [(Path(r["photo"]).name, r["side"]) for r in rows] == [
        (n, s) for n in ("a.jpg", "b.jpg") for s in ("left", "right")
    ]
    assert float(rows[0]["deviation_degrees"]) == pytest.approx(28, abs=1)
    assert float(rows[0]["medial_angle_degrees"]) == pytest.approx(180 - float(rows[0]["deviation_degrees"]))
    assert "knee_bent" in rows[0]["flags"]
    assert rows[0]["notice"] == NOTICE
    assert rows[0]["measured"] == "still, varus positive, not calibrated to the mechanical axis"
    assert rows[0]["measured"] in result.output
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["a.jpg", "b.jpg"]
    run("measure", photos, *network, "--convention", "valgus", "--out", tmp_path / "legs.json")
    written = json.loads((tmp_path / "legs.json").read_text())
    assert written["notice"] == NOTICE
    assert written["legs"][0]["deviation_degrees"] == pytest.approx(-float(rows[0]["deviation_degrees"]))


def test_evaluation_writes_numbers_and_plots_and_its_calibration_can_be_used(photos, tmp_path):
    network = ("--teacher", "still_teacher:make", "--no-flip")
    result = run("evaluate", *network, "--rendered", 12, "--heights", "80", "--out", tmp_path / "hka.json")
    assert "exact keypoints" in result.output
    assert (tmp_path / "hka.png").stat().st_size > 10_000
    assert (tmp_path / "hka.svg").exists()
    run("measure", photos, *network, "--calibration", tmp_path / "hka.json", "--out", tmp_path / "legs.csv")
    markdown = (tmp_path / "hka.md").read_text()
    assert markdown in result.output
    assert len({len(line) for line in markdown.split("\n\n")[0].splitlines()}) == 1  # readable as it is
    line = json.loads((tmp_path / "hka.json").read_text())["models"][-1]["calibration"]
    leg = next(csv.DictReader((tmp_path / "legs.csv").open()))
    assert float(leg["calibrated_rms_degrees"]) == pytest.approx(line["residual_rms"], abs=0.01)
    assert f"rms {line['residual_rms']:.1f} degrees" in leg["measured"]
    other = json.loads((tmp_path / "hka.json").read_text())
    for model in other["models"]:
        model["digest"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="none of this network"):
        run("measure", photos, *network, "--calibration", tmp_path / "other.json")


def test_boxes_of_a_file_go_to_their_photos(photos, tmp_path):
    found = find_photos([photos, photos / "a.jpg"])
    assert [p.name for p in found] == ["a.jpg", "b.jpg"]
    assert whole_photo_boxes(found).box.tolist() == [[0, 0, 384, 512]] * 2
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


def test_a_calibration_says_where_it_was_fitted():
    line = Calibration(
        intercept=-3.0,
        slope=1.1,
        residual_rms=1.2,
        uncorrected_rms=4.0,
        legs_fitted=20,
        legs_held_out=20,
        range=(-12.0, 14.0),
    )
    assert extrapolated(13.9, line) == {}
    assert extrapolated(-12.5, line) == {"extrapolated": "varus of -12.5 degrees, calibrated on -12.0 to +14.0"}


def test_a_refused_leg_leaves_its_side_and_reason_in_the_picture(photos, tmp_path):
    network = ("--teacher", "still_teacher:make", "--no-flip")
    run("measure", photos / "a.jpg", *network, "--min-score", "1.1", "--overlay", tmp_path / "drawn")
    drawn = read_image(tmp_path / "drawn/a.jpg").astype(int)
    height = round(512 * 640 / 384)  # the photo enlarged, without the strips below it
    written = (np.abs(drawn[:height] - 90).max(-1) > 60).any(1)
    assert written[int(height * 0.65) :].sum() > 20  # lines of text in the lower part
    assert not written[: int(height * 0.6)].any()  # and no leg
    assert len(drawn) > height + 30
    result = run("evaluate", *network, "--rendered", 3, "--heights", "80", "--min-score", "1.1")
    assert re.search(r"\| still +\| rendered, 80 px +\| mechanical axis +\| +0 \| +6 \|", result.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos/", "--student", "runs/mine"], "`kdcache hka PHOTOS...` is now `kdcache hka measure PHOTOS...`"),
        (["--student", "runs/mine", "photos/"], "`kdcache hka PHOTOS...` is now `kdcache hka measure PHOTOS...`"),
        (["--evaluate", "--student", "runs/mine"], "`kdcache hka --evaluate` is now `kdcache hka evaluate`"),
        (["--student", "runs/mine", "--evaluate"], "`kdcache hka --evaluate` is now `kdcache hka evaluate`"),
    ],
)
def test_the_spelling_of_version_0_1_is_refused_with_the_new_one(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: {message}"


def test_help_names_both_commands_and_both_have_help() -> None:
    assert "measure" in run("--help").output
    assert "--calibration" in run("measure", "--help").output
    assert "--rendered" in run("evaluate", "--help").output
