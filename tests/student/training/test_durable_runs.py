"""Finished means: weights there and whole. A full disk ends in one line, and the run goes on from its last save."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from cache_tools.store.writer import HeatmapStore
from student import checkpoint
from student.run_record import RunRecord, read_record
from student.trained_student import load_student
from student.training import run_folder
from tests.samples.drawn_store import quick_settings
from tests.samples.short_run import equal, run
from tests.samples.training_process import TrainingProcess

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.xdist_group("training processes")]


@pytest.fixture
def finished(undisturbed: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run."""
    return Path(shutil.copytree(undisturbed, tmp_path / "run"))


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_finished_run_without_its_weights_is_trained_again_and_says_so(
    store: HeatmapStore, finished: Path, undisturbed: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (finished / f"{name}.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        run(store, finished, resume=True)
    (record,) = run(store, finished)
    assert record.finished
    assert equal(finished, undisturbed)
    assert f"{name}.safetensors is damaged (Error while deserializing header: header too small)" in caplog.text
    assert "although the run was finished; the student is trained again" in caplog.text
    caplog.clear()
    run(store, finished)
    assert "although" not in caplog.text


def test_it_goes_on_from_its_last_save_where_there_is_one(
    store: HeatmapStore,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As after a power cut between run.json and the removal of the last save, on a disk that lost the weights."""
    unlink = Path.unlink

    def unlink_others(path: Path, missing_ok: bool = False) -> None:
        if path.name != "resume.pt":
            unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink_others)
        run(store, tmp_path, quick_settings(train__checkpoint_minutes=1e-9))
    assert (tmp_path / "resume.pt").exists()
    data = (tmp_path / "last.safetensors").read_bytes()
    (tmp_path / "last.safetensors").write_bytes(data[: len(data) // 2])
    run(store, tmp_path)
    assert equal(tmp_path, undisturbed)
    assert "the run goes on from its last save" in caplog.text
    assert not (tmp_path / "resume.pt").exists()


def test_overwrite_trains_again_where_weights_are_missing(
    store: HeatmapStore, finished: Path, undisturbed: Path
) -> None:
    (finished / "last.safetensors").unlink()
    run(store, finished, overwrite=True)
    assert equal(finished, undisturbed)


@pytest.mark.parametrize("spoil", ["empty", "missing"])
def test_whoever_needs_the_weights_says_what_to_do(finished: Path, spoil: str) -> None:
    path = finished / "best.safetensors"
    path.unlink()
    if spoil == "empty":
        path.write_bytes(b"")
    with pytest.raises((ValueError, FileNotFoundError), match="run the same `kdcache train` again") as refused:
        load_student(finished).predict("photo.jpg")
    assert str(path) in str(refused.value)


def test_weights_come_before_finished_and_the_last_save_goes_last(
    store: HeatmapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    save_weights, write, unlink, fsync = checkpoint.save_weights, run_folder.write_record, Path.unlink, os.fsync

    def noted_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == "resume.pt" and path.exists():
            order.append("last save removed")
        unlink(path, missing_ok)

    def noted_fsync(handle: int) -> None:
        fsync(handle)
        order.append("fsync")

    def noted_weights(path: Path, module: torch.nn.Module) -> None:
        save_weights(path, module)
        order.append(path.name)

    def noted_record(folder: Path, record: RunRecord) -> None:
        write(folder, record)
        order.append(f"finished {record.finished}")

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(checkpoint, "save_weights", noted_weights)
    monkeypatch.setattr(run_folder, "write_record", noted_record)
    monkeypatch.setattr(Path, "unlink", noted_unlink)
    run(store, tmp_path, quick_settings(train__checkpoint_minutes=1e-9))
    end = order[order.index("last.safetensors") - 2 :]
    # file and folder of each
    assert end == [
        "fsync", "fsync", "last.safetensors", "fsync", "fsync", "best.safetensors", "fsync", "fsync", "finished True",
        "last save removed",
    ]  # fmt: skip


@pytest.mark.parametrize("file", ["run.json", "resume.pt", "last.safetensors"])
def test_a_full_disk_is_one_line_and_the_run_goes_on(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path, file: str
) -> None:
    size = (undisturbed / "last.safetensors").stat().st_size
    # a save holds the weights several times
    room = {"run.json": 1000, "resume.pt": size + 1000, "last.safetensors": size - 1000}[file]
    minutes = 1e-9 if file == "resume.pt" else 5
    student = quick_settings(train__checkpoint_minutes=minutes)
    with TrainingProcess(store, tmp_path, student, largest_file=room) as process:
        code, messages = process.end()
    assert code == 2, messages
    assert "Traceback" not in messages
    last = messages.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "make room and run the same command again; it goes on from the last save" in last
    assert last.endswith(f"{tmp_path / 'run' / file}'")
    assert not list((tmp_path / "run").rglob(".*partial*"))
    run(store, tmp_path / "run")
    assert read_record(tmp_path / "run").finished
    assert equal(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("spoil", ["another network", "a part is missing", "no mapping"])
def test_a_save_of_something_else_is_one_line(store: HeatmapStore, tmp_path: Path, spoil: str) -> None:
    def stop(*_: object) -> dict[str, float]:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        run(store, tmp_path, quick_settings(train__checkpoint_minutes=1e-9), evaluate=stop)
    path = tmp_path / "resume.pt"
    state = torch.load(path, weights_only=True)
    if spoil == "another network":
        state["model"].popitem()
    elif spoil == "a part is missing":
        del state["sums"]
    torch.save([1] if spoil == "no mapping" else state, path)
    with pytest.raises(ValueError, match=r"resume\.pt is (no save|of another network).*: begin again with --overwrite"):
        run(store, tmp_path)
    run(store, tmp_path, overwrite=True)
    assert read_record(tmp_path).finished
