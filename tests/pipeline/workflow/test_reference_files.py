"""Files that a reference names: those of the user, and none of the hub's, of packages or of kdcache."""

from pathlib import Path

import pytest

from pipeline.workflow.reference_files import initial_weights, reference_files
from student.settings import StudentSettings
from tests.samples.constant_onnx import constant_network, peaks


def test_references_without_files_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for reference in ("vitpose-plus-huge", "student:demo", "oracle", "none", "json:loads"):
        assert reference_files(reference) == [], reference


def test_an_onnx_file_comes_with_its_weights_and_its_skeleton(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "net.onnx", {"heatmaps": peaks()}, external="net.data")
    files = reference_files(f"onnx:{path}?frame=udp&skeleton=mine.yaml")
    assert files == [path, tmp_path / "net.data", Path("mine.yaml")]
    assert reference_files(f"onnx:{path}?skeleton=coco") == files[:2]
    # what is wrong is told by the command, which Snakemake does not start without the file
    (tmp_path / "net.data").unlink()
    assert reference_files(f"onnx:{path}") == [path]
    assert reference_files("onnx:missing.onnx?frame=udp") == [Path("missing.onnx")]


def test_a_vitpose_folder_comes_with_every_part_of_its_weights(tmp_path: Path) -> None:
    for name in ("model-1.safetensors", "model-2.safetensors", "preprocessor_config.json"):
        (tmp_path / name).touch()
    names = [path.name for path in reference_files(f"vitpose:{tmp_path}?licence=MIT")]
    assert names == ["config.json", "preprocessor_config.json", "model-1.safetensors", "model-2.safetensors"]
    (tmp_path / "model.safetensors.index.json").write_text("{")
    assert reference_files(f"vitpose:{tmp_path}")[0] == tmp_path / "config.json"


def test_a_run_and_a_module_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference_files("student:runs/a") == [Path("runs/a/run.json"), Path("runs/a/best.safetensors")]
    (tmp_path / "mine").mkdir()
    for name in ("teacher.py", "__init__.py"):
        (tmp_path / "mine" / name).touch()
    assert reference_files("mine.teacher:make?scale=1/255") == [Path("mine/teacher.py")]
    assert reference_files("mine:make") == [Path("mine/__init__.py")]


def test_initial_weights_are_files_only(tmp_path: Path) -> None:
    file = tmp_path / "start.safetensors"
    file.touch()
    students = [
        StudentSettings.model_validate({"name": f"s{n}", "model": {"weights": weights}})
        for n, weights in enumerate(["imagenet", "none", "package:torch", str(file), str(file)])
    ]
    assert initial_weights(students) == [file]
