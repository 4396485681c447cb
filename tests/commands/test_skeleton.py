"""`kdcache skeleton` as typed: built-in skeletons, files of skeletons, what would be read of annotations, pictures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from cache_tools.skeletons import built_in_names
from pipeline.cli import kdcache
from pipeline.report.overlay import write_picture
from tests.commands.test_info import HEAVY
from tests.samples.coco_document import LEGS, coco_document, write_document
from tests.samples.command_line import run

FEET = {"keypoints": ["knee_l", "toe_l", "knee_r", "toe_r"], "edges": [["knee_l", "toe_l"]], "sigmas": 0.05}


def skeleton(*arguments: str | Path) -> str:
    """Return what the command prints."""
    return run("skeleton", *arguments)


def test_the_built_in_skeletons_are_listed() -> None:
    lines = skeleton().splitlines()
    assert [line.split()[0] for line in lines] == ["skeleton", *built_in_names()]
    assert lines[1].split()[:6] == ["coco", "17", "8", "17", "19", "stated"]
    assert [summary["name"] for summary in json.loads(skeleton("--json"))] == list(built_in_names())


def test_a_skeleton_by_name_or_file(tmp_path: Path) -> None:
    assert "12  right_ankle     left_ankle      lower     0.089  stated" in skeleton("crowdpose")
    for name, write in (("feet.yaml", yaml.safe_dump), ("feet.json", json.dumps)):
        (tmp_path / name).write_text(write(FEET))
        text = skeleton(tmp_path / name)
        assert "feet, 4 keypoints; mirror pairs: 2" in text
        assert "knee_l-toe_l" in text
        assert "no halves: no half-body views" in text
    assert json.loads(skeleton(tmp_path / "feet.json", "--json"))["joints"][1]["mirror"] == "toe_r"
    (tmp_path / "dots.yaml").write_text("keypoints: [a, b]")
    text = skeleton(tmp_path / "dots.yaml")
    for part in ("mirror pairs: not known", "joints are drawn as dots", "no flips, no flip test", "2 assumed"):
        assert part in text


@pytest.mark.parametrize(
    ("name", "angle"),
    [
        ("coco", "hip-knee-ankle angle of COCO's points"),
        ("mechanical", "mechanical axis"),
        ("hand21", "none: hip, knee and ankle of both legs are not all there"),
    ],
)
def test_which_angle_of_the_legs_is_measured(name: str, angle: str) -> None:
    assert f"angle of legs   {angle}\n" in skeleton(name)
    assert json.loads(skeleton(name, "--json"))["angle"] == (None if angle.startswith("none") else angle)


def test_what_would_be_read_of_an_annotation_file(tmp_path: Path) -> None:
    document = coco_document(names=LEGS, category=7)
    document["categories"].append({"id": 8, "name": "children", "keypoints": LEGS})
    document["annotations"][0]["iscrowd"] = 1
    document["annotations"][1]["category_id"] = 8
    document["annotations"][2] |= {"area": None, "foot_kpts": [1, 1, 2]}
    text = skeleton(write_document(tmp_path, document))
    for part in (
        "2 categories    7 person (2 of 3 annotations), 8 children (1 of 1 annotations)",
        f"6 keypoints: {', '.join(LEGS)}",
        "persons         3 in 2 of 2 photos; left out: 1 crowd",
        "note            1 labelled annotations state no area: 0.53 of their box's is taken",
        "note            annotations also have foot_kpts, which are not read: --skeleton coco_wholebody reads them",
        "skeleton        person, 6 keypoints; mirror pairs: 3",
        "angle of legs   hip-knee-ankle angle of the points of person",
        "same joints     of 6, by name: coco 6",
    ):
        assert part in text
    assert text.splitlines()[-6].split() == ["1", "ankle_l", "ankle_r", "-", "0.089", "coco", "0", "0", "3"]
    only = json.loads(skeleton(write_document(tmp_path, document), "--category", "children", "--json"))
    assert (only["persons"], only["left_out"]) == (1, {"another category": 3})


def test_a_name_that_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"][0]["name"] = "per\x07son"
    text = skeleton(write_document(tmp_path, document))
    assert r"1 per\x07son" in text
    assert "\x07" not in text


def test_another_order_in_the_file_is_shown(tmp_path: Path) -> None:
    document = coco_document()
    names = document["categories"][0]["keypoints"]
    names[:2] = ["left_eye", "nose"]
    text = skeleton(write_document(tmp_path, document))
    assert "another one in the file, put right: nose is number 2, left_eye is number 1" in text


def test_a_file_that_is_refused_shows_its_categories_first(tmp_path: Path) -> None:
    document = coco_document()
    document["categories"].append({"id": 2, "name": "legs", "keypoints": LEGS})
    path = str(write_document(tmp_path, document))
    result = CliRunner().invoke(kdcache, ["skeleton", path])
    assert "choose with --category NAME or ID" in str(result.exception)
    assert "category        2 legs\n                6 keypoints: ankle_l, knee_l" in result.output
    assert CliRunner().invoke(kdcache, ["skeleton", path, "--json"]).output == ""
    assert "legs, 6 keypoints" not in skeleton(path, "--category", "person")


def test_labels_are_drawn_with_their_names(tmp_path: Path) -> None:
    document = coco_document(persons=6, names=LEGS)
    for image in document["images"]:
        write_picture(tmp_path / "photos" / image["file_name"], np.full((120, 160, 3), 128, np.uint8))
    path, out = write_document(tmp_path, document), tmp_path / "drawn"
    text = skeleton(path, "--overlay", out, "--images", tmp_path / "photos", "--persons", "3", "--seed", "5")
    drawn = sorted(out.iterdir())
    assert len(drawn) == 3
    assert text.splitlines()[-3:] == [str(picture) for picture in drawn]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crowdpos"], "expected a YAML file or one of crowdpose"),
        (["nowhere.yaml"], "there is no file"),
        (["photos/nowhere"], "there is no file"),
        (["coco", "--category", "person"], "--category would be ignored: they belong to an annotation file"),
        (["--overlay", "x"], "--overlay would be ignored"),
        (["persons.json", "--depth", "12"], "--depth would be ignored: they belong to --overlay"),
        (["persons.json", "--seed", "1"], "--seed would be ignored: they belong to --overlay"),
        (["persons.json", "--overlay", "x"], "--images is missing"),
        (["text.json"], "is not JSON"),
        (["list.json"], "expected a COCO keypoint annotation file"),
        (["five.json"], "five.json: its 'categories' are a"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_document(tmp_path, coco_document())
    (tmp_path / "text.json").write_text("keypoints: [a]")
    (tmp_path / "list.json").write_text("[1, 2]")
    write_document(tmp_path, coco_document() | {"categories": 5}, "five.json")
    result: Any = CliRunner().invoke(kdcache, ["skeleton", *arguments])
    assert result.exit_code != 0
    assert message in f"{result.output} {result.exception}"
    assert not (tmp_path / "x").exists()


def test_it_imports_no_framework_and_takes_less_than_a_second(tmp_path: Path) -> None:
    path = write_document(tmp_path, coco_document(names=LEGS))
    write_picture(tmp_path / "000.jpg", np.full((120, 160, 3), 128, np.uint8))
    write_picture(tmp_path / "001.jpg", np.full((120, 160, 3), 128, np.uint8))
    code = (
        "import sys, time; from pipeline.cli import kdcache; "
        f"kdcache(['skeleton', {str(path)!r}, *sys.argv[1:]], standalone_mode=False); "
        "print('seconds', time.process_time()); print('loaded', *sys.modules)"
    )
    for options in ([], ["--overlay", str(tmp_path / "drawn"), "--images", str(tmp_path)]):
        command = [sys.executable, "-c", code, *options]
        output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        text, _, after = output.partition("\nseconds ")
        seconds, _, loaded = after.partition("\nloaded ")
        assert "person, 6 keypoints" in text
        assert not HEAVY & set(loaded.split())
        assert float(seconds) < 1
