"""Weights and resume files: written whole, read back, and clear about what does not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from student import checkpoint
from tests.samples.small_run import SMALL, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run")
    return tmp_path / "run"


def change_weights(run: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = run / "best.safetensors"
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


def test_a_student_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    student = write_run(tmp_path)
    loaded, settings = checkpoint.load_model(tmp_path)
    assert settings.model == SMALL
    images = torch.randn(2, 3, *SMALL.input_size)
    with torch.no_grad():
        assert torch.equal(loaded(images), student(images))


def test_weights_in_channels_last_are_saved_as_what_they_are(run: Path) -> None:
    model, _ = checkpoint.load_model(run)
    checkpoint.save_weights(run / "last.safetensors", model.to(memory_format=torch.channels_last))
    again, _ = checkpoint.load_model(run, "last")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


def test_weights_that_do_not_fit_are_named(run: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["head.heatmaps.bias"] = torch.zeros(18)
        tensors["head.unknown"] = tensors.pop("head.heatmaps.weight")

    change_weights(run, change)
    with pytest.raises(ValueError, match="does not fit") as refused:
        checkpoint.load_model(run)
    message = str(refused.value)
    assert "head.heatmaps.bias is (18,), expected (17,)" in message
    assert "head.heatmaps.weight is missing" in message
    assert "head.unknown is not part of the model" in message


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda run: (run / "run.json").unlink(), FileNotFoundError, "has no run.json"),
        (lambda run: (run / "run.json").write_text("{"), ValueError, "is not JSON"),
        (lambda run: (run / "run.json").write_text('{"format": 99}'), ValueError, "format 99"),
        (lambda run: (run / "best.safetensors").unlink(), FileNotFoundError, "does not exist"),
        (lambda run: (run / "best.safetensors").write_bytes(b"\x08" + bytes(30)), ValueError, "is damaged"),
    ],
)
def test_a_folder_that_is_no_whole_run_is_refused(
    run: Path, spoil: Callable[[Path], object], error: type[Exception], message: str
) -> None:
    spoil(run)
    with pytest.raises(error, match=message):
        checkpoint.load_model(run)


@pytest.mark.parametrize("content", [b"PK\x03\x04 half a file", b"", b"\x80\x02 no pickle", b"words"])
def test_a_damaged_resume_file_is_no_start(run: Path, content: bytes) -> None:
    (run / "resume.pt").write_bytes(content)
    with pytest.raises(ValueError, match="--overwrite"):
        checkpoint.load_resume(run, torch.device("cpu"))
