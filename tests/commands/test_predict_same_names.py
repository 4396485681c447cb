"""Photos of the same name in two folders: each gets its own boxes, and poses say which photo they are of."""

import json
from pathlib import Path
from typing import Any

import pytest

from cache_tools.skeletons import COCO
from pipeline.evaluation.coco_ap import coco_numbers
from pipeline.persons.coco_labels import CocoLabels
from tests.samples.command_line import run


def poses_of(boxes: Path | None, case: Path, teacher: str, out: Path) -> list[dict[str, Any]]:
    given = [] if boxes is None else ["--boxes", str(boxes)]
    folders = [str(case / "video1"), str(case / "video2")]
    run("predict", *folders, "--teacher", teacher, *given, "--no-flip", "--device", "cpu", "--out", out)
    return list(json.loads(out.read_text()))


pytestmark = pytest.mark.usefixtures("sessions_are_kept")


@pytest.fixture(scope="module")
def teacher(shared_data: Path) -> str:
    return f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"


@pytest.fixture(scope="module")
def case(shared_cases: Path) -> Path:
    return shared_cases / "same_names"


@pytest.mark.parametrize("name", ["val.json", "boxes.json", "boxes_names_only.json"])
def test_each_photo_has_its_own_boxes(name: str, case: Path, teacher: str, tmp_path: Path) -> None:
    poses = poses_of(case / name, case, teacher, tmp_path / "poses.json")
    labels = CocoLabels(case / "val.json")
    id_of = {labels.photos[number].file_name: number for number in labels.photos.ids()}
    if name == "boxes_names_only.json":
        # no ids in the file: each photo is numbered
        assert {pose["image_id"] for pose in poses} == set(range(1, 9))
        poses = [{**pose, "image_id": id_of[pose["file_name"]]} for pose in poses]
    assert all(pose["image_id"] == id_of[pose["file_name"]] for pose in poses)
    numbers, _ = coco_numbers(labels.coco, poses, categories=[1], sigmas=COCO.oks_sigmas()[0])
    assert numbers["AP"] == pytest.approx(0.727, abs=5e-4)


def test_whole_photos_are_different_images(case: Path, teacher: str, tmp_path: Path) -> None:
    poses = poses_of(None, case, teacher, tmp_path / "poses.json")
    expected = [f"video{video}/000{frame}.jpg" for video in (1, 2) for frame in (1, 2, 3, 4)]
    assert [pose["file_name"] for pose in poses] == expected
    assert [pose["image_id"] for pose in poses] == [*range(1, 9)]
