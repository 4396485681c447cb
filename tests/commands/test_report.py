"""`kdcache report` as typed: pictures of annotated persons and of any photos, the table, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.images import read_image
from cache_tools.skeletons import load_skeleton
from pipeline.cli import kdcache
from pipeline.persons.photo_boxes import whole_photo_boxes
from pipeline.persons.photo_files import find_photos
from pipeline.persons.sample_crops import rendered_crops
from pipeline.persons.subjects import from_photos
from pipeline.report import panels
from pipeline.report.overlay import write_picture
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.models.paper import paper_rows
from tests.samples.coco_document import coco_document, write_document
from tests.samples.report_rows import COST, metrics_document


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photos of a rendered person each."""
    photos = tmp_path_factory.mktemp("photos")
    for number, crop in enumerate(rendered_crops(5, (128, 96))):
        write_picture(photos / f"{number}.png", crop)
    return photos


@pytest.mark.parametrize(("name", "options"), [("heatmaps", ["--persons", "2"]), ("predictions", ["--photos", "3"])])
def test_a_folder_without_boxes_or_annotations(
    name: str, options: list[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: set[torch.device] = set()
    module = "pipeline.report.panels" if name == "heatmaps" else "student.prediction"
    original = panels.decode_keypoints

    def noted(maps: np.ndarray, cell_to_image: np.ndarray, device: torch.device) -> np.ndarray:
        devices.add(device)
        return original(maps, cell_to_image, device)

    monkeypatch.setattr(f"{module}.decode_keypoints", noted)
    command = ["report", name, "--images", str(folder), "--teacher", "student:demo", "--device", "cpu", *options]
    out = tmp_path / "picture.png"
    CliRunner().invoke(kdcache, [*command, "--out", str(out)], catch_exceptions=False)
    assert read_image(out).std() > 20
    assert devices == {torch.device("cpu")}


def test_annotated_persons_and_those_of_a_file_of_boxes(shared_data: Path, tmp_path: Path) -> None:
    coco, boxes = shared_data / "coco", tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 785, "bbox": [280, 44, 218, 346], "score": 1.0}]))
    annotated = ["--annotations", str(coco / "person_keypoints_val.json")]
    for number, (name, options) in enumerate(
        [
            ("heatmaps", [*annotated, "--persons", "1"]),
            ("heatmaps", ["--boxes", str(boxes), "--persons", "1"]),
            ("predictions", [*annotated, "--photos", "2", "--no-flip"]),
            ("predictions", ["--boxes", str(boxes), "--photos", "1", "--no-flip"]),
        ]
    ):
        out = tmp_path / f"{number}.png"
        command = ["report", name, "--images", str(coco / "val"), "--teacher", "student:demo", "--device", "cpu"]
        CliRunner().invoke(kdcache, [*command, *options, "--out", str(out)], catch_exceptions=False)
        picture = read_image(out)
        assert min(picture.shape[:2]) > 150
        assert picture.std() > 20


def test_the_table_is_printed_as_it_is_written(tmp_path: Path) -> None:
    rows = [{"name": row.name, "role": row.role, "paper": row.name} for row in paper_rows()]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    arguments = ["report", "table", "--rows", str(tmp_path / "rows.json"), "--out", str(tmp_path / "report")]
    printed = CliRunner().invoke(kdcache, arguments, catch_exceptions=False).output
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["table.csv", "table.md", "table.tex"]
    assert printed == (tmp_path / "report" / "table.md").read_text(encoding="utf-8")
    assert "67.1†" in printed


def test_the_chart_names_its_files(tmp_path: Path) -> None:
    row = {"name": "x", "role": "student"}
    for kind, document in (("metrics", metrics_document(0.5, 0.6)), ("cost", COST)):
        (tmp_path / f"{kind}.json").write_text(json.dumps(document))
        row[kind] = str(tmp_path / f"{kind}.json")
    arguments = ["report", "chart", "--rows", json.dumps([row]), "--out", str(tmp_path)]
    printed = CliRunner().invoke(kdcache, arguments, catch_exceptions=False).output
    assert printed.splitlines() == [str(tmp_path / f"bubble.{suffix}") for suffix in ("svg", "png", "html")]
    assert all(Path(line).stat().st_size > 1000 for line in printed.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["heatmaps"], "nothing to show: give --teacher REF, --store URL or --run RUN"),
        (["predictions"], "give one of --run RUN and --teacher REF"),
        (["predictions", "--run", "a", "--teacher", "b"], "give one of --run RUN and --teacher REF"),
        (["predictions", "--run", "a", "--out", "x.gif"], "ends in .jpg or .jpeg or .png"),
        (["heatmaps", "--run", "a", "--out", "x.jpg"], "ends in .png or .svg"),
    ],
)
def test_what_to_show_must_be_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    command = ["report", arguments[0], "--images", str(tmp_path), "--out", str(tmp_path / "x.png"), *arguments[1:]]
    result = CliRunner().invoke(kdcache, command)
    assert result.exit_code == 2
    assert message in result.output


def test_subjects_go_through_the_network_in_batches(folder: Path) -> None:
    subjects, teacher = from_photos(whole_photo_boxes(find_photos([folder]))), load_network("student:demo", "cpu")
    whole = panels.network_column(teacher, "at once", subjects, Inference(flip=False))
    parts = panels.network_column(teacher, "in three batches", subjects, Inference(flip=False, batch_size=2))
    assert parts.maps.shape == (5, 17, 32, 24)
    np.testing.assert_allclose(parts.maps, whole.maps, atol=1e-4)


@pytest.fixture
def animals(tmp_path: Path, folder: Path) -> Path:
    """Annotations of AP-10K's joints in photos of rendered people, whose nose and legs have joints of those names."""
    document = coco_document(persons=5, names=list(load_skeleton("ap10k").names), persons_a_photo=1)
    for number, image in enumerate(document["images"]):
        image |= {"file_name": f"{number}.png", "height": 128, "width": 96}
    return write_document(tmp_path, document)


def test_panels_of_other_joints_than_cocos(animals: Path, folder: Path, tmp_path: Path) -> None:
    common = ["--images", str(folder), "--annotations", str(animals), "--teacher", "student:demo", "--device", "cpu"]
    options = ["--skeleton", "ap10k", "--category", "person", "--joint", "root_of_tail=nose"]
    out = tmp_path / "panel.svg"
    CliRunner().invoke(kdcache, ["report", "heatmaps", *common, "--persons", "2", "--out", str(out)])
    # eyes, nose, shoulders, elbows, hips and knees; paws, neck and tail have other names
    assert "of 11 joints" in out.read_text()
    CliRunner().invoke(kdcache, ["report", "heatmaps", *common, *options, "--out", str(out)], catch_exceptions=False)
    assert "of 12 joints" in out.read_text()
    picture = tmp_path / "poses.png"
    command = ["report", "predictions", *common, *options[:4], "--photos", "2", "--out", str(picture)]
    CliRunner().invoke(kdcache, command, catch_exceptions=False)
    assert read_image(picture).std() > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--category", "person"], "--category would be ignored: they say what --annotations are of"),
        (["--joint", "a=b"], "--joint would be ignored: without --annotations"),
    ],
)
def test_options_of_annotations_need_some(options: list[str], message: str, folder: Path, tmp_path: Path) -> None:
    command = ["report", "heatmaps", "--images", str(folder), "--teacher", "student:demo", *options]
    result = CliRunner().invoke(kdcache, [*command, "--out", str(tmp_path / "x.png")])
    assert result.exit_code == 2
    assert message in result.output
