"""`kdcache report heatmaps` and `predictions` of photos about which nothing is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.images import read_image
from pipeline.cli import kdcache
from pipeline.commands.export import rendered_crops
from pipeline.persons.photo_boxes import find_photos, whole_photo_boxes
from pipeline.persons.subjects import from_photos
from pipeline.report import panels
from pipeline.report.overlay import write_picture
from pipeline.teachers.load import load_network
from student.inference import Inference


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


def test_subjects_go_through_the_network_in_batches(folder: Path) -> None:
    subjects, teacher = from_photos(whole_photo_boxes(find_photos([folder]))), load_network("student:demo", "cpu")
    whole = panels.network_column(teacher, "at once", subjects, Inference(flip=False))
    parts = panels.network_column(teacher, "in three batches", subjects, Inference(flip=False, batch_size=2))
    assert parts.maps.shape == (5, 17, 32, 24)
    np.testing.assert_allclose(parts.maps, whole.maps, atol=1e-4)
