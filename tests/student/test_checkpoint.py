"""Run folders: written whole, read back, and clear about what does not fit."""

import contextlib
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from student import checkpoint
from student.settings import StudentSettings
from tests.samples.small_run import SMALL, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run")
    return tmp_path / "run"


def change_weights(run: Path, change) -> None:
    path = run / "best.safetensors"
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


def test_a_student_comes_back_as_it_was_saved(tmp_path) -> None:
    student = write_run(tmp_path)
    loaded, settings = checkpoint.load_student(tmp_path)
    assert settings.model == SMALL
    images = torch.randn(2, 3, *SMALL.input_size)
    with torch.no_grad():
        assert torch.equal(loaded(images), student(images))


def test_weights_in_channels_last_are_saved_as_what_they_are(run) -> None:
    student, _ = checkpoint.load_student(run)
    checkpoint.save_weights(run / "last.safetensors", student.to(memory_format=torch.channels_last))
    again, _ = checkpoint.load_student(run, "last")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), student.parameters(), strict=True))


def test_weights_that_do_not_fit_are_named(run) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["head.heatmaps.bias"] = torch.zeros(18)
        tensors["head.unknown"] = tensors.pop("head.heatmaps.weight")

    change_weights(run, change)
    with pytest.raises(ValueError, match="does not fit") as refused:
        checkpoint.load_student(run)
    message = str(refused.value)
    assert "head.heatmaps.bias is (18,), expected (17,)" in message
    assert "head.heatmaps.weight is missing" in message
    assert "head.unknown is not part of the model" in message


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda run: (run / "run.json").unlink(), FileNotFoundError, "has no run.json"),
        (lambda run: (run / "run.json").write_text("{"), ValueError, "is not JSON"),
        (lambda run: (run / "run.json").write_text('{"format": 99}'), ValueError, "format 99"),
        (lambda run: (run / "best.safetensors").unlink(), FileNotFoundError, "does not exist"),
        (lambda run: (run / "best.safetensors").write_bytes(b"\x08" + bytes(30)), ValueError, "is damaged"),
    ],
)
def test_a_folder_that_is_no_whole_run_is_told_apart(run, spoil, error, says) -> None:
    spoil(run)
    with pytest.raises(error, match=says):
        checkpoint.load_student(run)


@pytest.mark.parametrize("content", [b"PK\x03\x04 half a file", b"", b"\x80\x02 no pickle", b"words"])
def test_a_damaged_resume_file_is_no_start(run, content) -> None:
    (run / "resume.pt").write_bytes(content)
    with pytest.raises(ValueError, match="--overwrite"):
        checkpoint.load_resume(run, torch.device("cpu"))


def test_a_write_that_fails_leaves_the_old_file(run) -> None:
    before = (run / "run.json").read_bytes()
    with pytest.raises(TypeError):
        checkpoint.write_record(run, {"finished": object()})
    assert (run / "run.json").read_bytes() == before
    assert not list(run.glob(".*"))


def test_a_log_is_cut_where_the_run_goes_on(run) -> None:
    for step in (10, 20, 30):
        checkpoint.append_log(run, {"step": step, "loss": 1 / step})
    checkpoint.cut_log(run, 20)
    checkpoint.append_log(run, {"step": 30, "loss": 0.5})
    assert [(e["step"], e["loss"]) for e in checkpoint.read_log(run)] == [(10, 0.1), (20, 0.05), (30, 0.5)]


def test_half_a_last_line_of_the_log_is_forgotten(run) -> None:
    checkpoint.append_log(run, {"step": 10})
    with open(run / "log.jsonl", "a") as file:
        file.write('{"step": 20, "lo')
    assert checkpoint.read_log(run) == [{"step": 10}]
    checkpoint.cut_log(run, 20)
    checkpoint.append_log(run, {"step": 20})
    assert checkpoint.read_log(run) == [{"step": 10}, {"step": 20}]
    (run / "log.jsonl").write_text('{"st\n{"step": 20}\n')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        checkpoint.read_log(run)


@pytest.mark.parametrize("kept", range(8))
def test_killed_at_any_moment_of_beginning_again_a_folder_is_still_a_run(run, monkeypatch, kept) -> None:
    """Of the removals and renames `kept` are done, then the process is gone."""
    settings = StudentSettings(name="small", model=SMALL)
    old = {"name": "small", "settings": checkpoint.resolved(settings), "data": {"stores": ["abc"]}, "finished": True}
    new = {**old, "data": {"stores": ["xyz"]}, "finished": False}
    checkpoint.write_record(run, old)
    (run / "last.safetensors").write_bytes(b"old")
    (run / "resume.pt").write_bytes(b"old")
    left = iter(range(kept))

    def perhaps(act):
        def acts(*arguments, **more):
            if next(left, None) is None:
                raise SystemExit
            return act(*arguments, **more)

        return acts

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", perhaps(Path.unlink))
        patch.setattr(checkpoint.os, "replace", perhaps(checkpoint.os.replace))
        with contextlib.suppress(SystemExit):
            checkpoint.begin_again(run, new)
    state = checkpoint.state_of(run, settings, new["data"], overwrite=True)
    assert not (run / "resume.pt").exists() or kept == 0
    if state == "new":
        assert checkpoint.state_of(run, settings, old["data"]) == "finished"
        assert (run / "best.safetensors").exists()
    else:
        assert state == "unfinished"


def test_a_folder_with_what_a_killed_process_left_is_new(tmp_path) -> None:
    settings = StudentSettings(name="small", model=SMALL)
    for name in (".run.json.123", ".resume.pt.4567"):
        (tmp_path / name).write_bytes(b"half")
    assert checkpoint.state_of(tmp_path, settings, {}) == "new"
    (tmp_path / "resume.pt").write_bytes(b"whole")
    checkpoint.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]
    with pytest.raises(ValueError, match=r"without run\.json, yet not empty"):
        checkpoint.state_of(tmp_path, settings, {})


def test_the_state_of_a_folder(run, tmp_path) -> None:
    settings = StudentSettings(name="small", model=SMALL)
    data = {"stores": ["abc"], "processes": 1}
    assert checkpoint.state_of(tmp_path / "new", settings, data) == "new"
    record = {"name": "small", "settings": checkpoint.resolved(settings), "data": data}
    for finished, state in ((False, "unfinished"), (True, "finished")):
        checkpoint.write_record(run, {**record, "finished": finished})
        assert checkpoint.state_of(run, settings, data) == state
    renamed = settings.model_copy(update={"name": "renamed"})
    assert checkpoint.state_of(run, renamed, data) == "finished"
    with pytest.raises(ValueError, match=r"data.stores: found \['abc'\], asked for \['xyz'\]"):
        checkpoint.state_of(run, settings, {**data, "stores": ["xyz"]})
    assert checkpoint.state_of(run, settings, {**data, "stores": ["xyz"]}, overwrite=True) == "new"
    (run / "run.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ValueError, match="has no settings"):
        checkpoint.state_of(run, settings, data)
