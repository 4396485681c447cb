"""`kdcache hka` as typed: rows, pictures, calibration, and what it refuses."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cache_tools.images import read_image
from pipeline.commands.hka import command
from pipeline.hka.angles import NOTICE
from pipeline.report.overlay import write_picture

NETWORK = ("--teacher", "tests.samples.still_network:make", "--no-flip", "--device", "cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write two grey photos and return their folder."""
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.jpg"):
        write_picture(folder / name, np.full((512, 384, 3), 90, np.uint8))
    return folder


def run(*arguments: object) -> Result:
    """Run `kdcache hka` with arguments."""
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_the_command_writes_rows_and_pictures(photos: Path, tmp_path: Path) -> None:
    result = run("measure", photos, *NETWORK, "--out", tmp_path / "legs.csv", "--overlay", tmp_path / "drawn")
    assert NOTICE in result.output
    rows = list(csv.DictReader((tmp_path / "legs.csv").read_text().splitlines()))
    assert [(r["photo"], r["side"]) for r in rows] == [(n, s) for n in ("a.jpg", "b.jpg") for s in ("left", "right")]
    assert float(rows[0]["deviation_degrees"]) == pytest.approx(11.4, abs=1)
    assert float(rows[0]["medial_angle_degrees"]) == pytest.approx(180 - float(rows[0]["deviation_degrees"]))
    assert rows[0]["notice"] == NOTICE
    assert rows[0]["measured"] == (
        "still, hip-knee-ankle angle of COCO's points, varus positive, not calibrated to the mechanical axis"
    )
    assert rows[0]["angle"] == "hip-knee-ankle angle of COCO's points"
    assert rows[0]["measured"] in result.output
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["a.jpg", "b.jpg"]
    run("measure", photos, *NETWORK, "--convention", "valgus", "--out", tmp_path / "legs.json")
    written = json.loads((tmp_path / "legs.json").read_text())
    assert written["notice"] == NOTICE
    assert written["legs"][0]["deviation_degrees"] == pytest.approx(-float(rows[0]["deviation_degrees"]))


def test_photos_in_subfolders_are_named_by_their_path_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("monday/1.jpg", "tuesday/1.jpg", "tuesday/2.jpg"):
        write_picture(folder / name, np.full((512, 384, 3), 90, np.uint8))
    options = (*NETWORK, "--out", tmp_path / "legs.csv", "--overlay", folder / "drawn")
    # the second run does not measure the pictures that the first one wrote
    for _ in range(2):
        result = run("measure", folder, *options)
        rows = list(csv.DictReader((tmp_path / "legs.csv").read_text().splitlines()))
        assert [r["photo"] for r in rows[::2]] == ["monday/1.jpg", "tuesday/1.jpg", "tuesday/2.jpg"]
        assert [r["person"] for r in rows] == ["0"] * 6
    assert "tuesday/1.jpg" in result.output
    assert sorted(p.name for p in (folder / "drawn").iterdir()) == ["2.jpg", "monday_1.jpg", "tuesday_1.jpg"]
    # a folder of a folder keeps its name, because the path is relative to what was given
    deep = tmp_path / "deep"
    write_picture(deep / "only" / "1.jpg", np.full((512, 384, 3), 90, np.uint8))
    run("measure", deep, *NETWORK, "--out", tmp_path / "one.csv")
    assert "only/1.jpg,0,left" in (tmp_path / "one.csv").read_text()


def test_evaluation_writes_numbers_and_plots_and_its_calibration_can_be_used(photos: Path, tmp_path: Path) -> None:
    result = run("evaluate", *NETWORK, "--rendered", 12, "--heights", "80", "--out", tmp_path / "hka.json")
    assert "exact keypoints" in result.output
    assert (tmp_path / "hka.png").stat().st_size > 10_000
    assert (tmp_path / "hka.svg").exists()
    run("measure", photos, *NETWORK, "--calibration", tmp_path / "hka.json", "--out", tmp_path / "legs.csv")
    markdown = (tmp_path / "hka.md").read_text()
    assert markdown in result.output
    # readable as it is
    assert len({len(line) for line in markdown.split("\n\n")[0].splitlines()}) == 1
    line = json.loads((tmp_path / "hka.json").read_text())["models"][-1]["calibration"]
    leg = next(csv.DictReader((tmp_path / "legs.csv").read_text().splitlines()))
    assert float(leg["calibrated_rms_degrees"]) == pytest.approx(line["residual_rms"], abs=0.01)
    assert f"rms {line['residual_rms']:.1f} degrees" in leg["measured"]
    other = json.loads((tmp_path / "hka.json").read_text())
    for model in other["models"]:
        model["digest"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="none of this network"):
        run("measure", photos, *NETWORK, "--calibration", tmp_path / "other.json")


def test_a_refused_leg_leaves_its_side_and_reason_in_the_picture(photos: Path, tmp_path: Path) -> None:
    run("measure", photos / "a.jpg", *NETWORK, "--min-score", "1.1", "--overlay", tmp_path / "drawn")
    drawn = read_image(tmp_path / "drawn/a.jpg").astype(int)
    # of the enlarged photo, without the strip below it
    height = round(512 * 640 / 384)
    written = (np.abs(drawn[:height] - 90).max(-1) > 60).any(1)
    # lines of text in the lower part, and no leg
    assert written[int(height * 0.65) :].sum() > 20
    assert not written[: int(height * 0.6)].any()
    assert len(drawn) > height + 30
    result = run("evaluate", *NETWORK, "--rendered", 3, "--heights", "80", "--min-score", "1.1")
    assert re.search(
        r"\| still +\| COCO's points +\| rendered, 80 px +\| mechanical axis +\| +0 \| +6 \|", result.output
    )


def test_a_network_of_true_joint_centres_measures_the_mechanical_axis_and_says_so(photos: Path, tmp_path: Path) -> None:
    mechanical = ("--teacher", "tests.samples.still_network:make_mechanical", "--no-flip", "--device", "cpu")
    coco = run("measure", photos, *NETWORK, "--out", tmp_path / "coco.csv", "--overlay", tmp_path / "coco").output
    out = ("--out", tmp_path / "axis.csv", "--overlay", tmp_path / "axis")
    axis = run("measure", photos, *mechanical, *out).output
    assert axis.splitlines()[0] == "still, mechanical axis, varus positive, not calibrated"
    tables = [list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines())) for name in ("coco", "axis")]
    assert {row["angle"] for row in tables[1]} == {"mechanical axis"}
    for one, other in zip(*tables, strict=True):
        assert one["deviation_degrees"] == other["deviation_degrees"]
    # the strip below the picture says it, too
    drawn = [read_image(tmp_path / name / "a.jpg").astype(int) for name in ("coco", "axis")]
    assert np.abs(drawn[0] - drawn[1])[-40:].max() > 100
    assert "COCO's points" in coco
    sizes = ["--rendered", 3, "--heights", "80,80"]
    both = run("evaluate", *NETWORK, *mechanical[:2], *sizes, "--out", tmp_path / "e.json")
    names = re.findall(r"^\| ([a-z ]+?) +\| (.+?) +\| rendered, 80 px \| (.+?) +\|", both.output, re.MULTILINE)
    assert names == [
        ("exact keypoints", "COCO's points", "mechanical axis"),
        ("exact joint centres", "true joint centres", "mechanical axis"),
        ("still", "COCO's points", "exact keypoints"),
        ("still", "COCO's points", "mechanical axis"),
        ("still", "true joint centres", "exact joint centres"),
        ("still", "true joint centres", "mechanical axis"),
    ]
    models = json.loads((tmp_path / "e.json").read_text())["models"]
    assert [model["angle"]["name"] for model in models[2:]] == [
        "hip-knee-ankle angle of COCO's points",
        "mechanical axis",
    ]


@pytest.mark.parametrize("command", ["measure", "evaluate"])
def test_a_network_without_legs_is_refused_with_what_is_missing(photos: Path, command: str) -> None:
    hand = ("--teacher", "tests.samples.still_network:make_hand")
    with pytest.raises(ValueError, match="skeleton hand21 has no left hip, no left knee, no left ankle"):
        run(command, *([photos] if command == "measure" else []), *hand)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure", "photos/"], "give one of --student RUN and --teacher REF"),
        (["measure", "photos/", *NETWORK, "--student", "x"], "give one of --student RUN and --teacher REF"),
        (["measure", "photos/", *NETWORK, "--out", "legs.txt"], "expected a name that ends in .csv or .json"),
        (["evaluate"], "give --student RUN or --teacher REF"),
        (["evaluate", *NETWORK, "--images", "val"], "--images and --annotations go together"),
        (["evaluate", *NETWORK, "--skeleton", "coco"], "--skeleton would be ignored: there are no --annotations"),
        (["evaluate", *NETWORK, "--out", "hka.csv"], "expected a name that ends in .json"),
        (["evaluate", *NETWORK, "--heights", "120,small"], "expected pixels of at least 64"),
        (["evaluate", *NETWORK, "--rendered", "0"], "nothing to evaluate on"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


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
