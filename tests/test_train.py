"""Runs that learn, stop, go on, and come out the same; several students from one stream."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from drawn_store import SeeingTeacher, draw, settings, write_store

from cache_tools.store import HeatmapStore
from pipeline.loader_benchmark import time_loader
from student.checkpoint import load_student, read_log, read_record
from student.settings import StudentSettings
from student.train import train

ROWS = 24


STEPS = 12  # four epochs of 24 rows in batches of 8


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "a.zarr", folder / "photos", draw(folder / "photos", ROWS))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(store: HeatmapStore, out: Path, *students: StudentSettings, **more: Any) -> list[dict[str, Any]]:
    chosen = students or (settings(),)
    runs = [out] if len(chosen) == 1 else [out / s.name for s in chosen]
    return train([store], chosen, runs, device="cpu", say=lambda line: None, **more)


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / f"{name}.safetensors")


def equal(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def stop_when(condition) -> Any:
    """An `evaluate` that asks the run to stop: asked at every step, it is a place to send a signal from."""

    def evaluate(model: torch.nn.Module, of: StudentSettings) -> dict[str, float]:
        if condition():
            signal.raise_signal(signal.SIGTERM)
        return {}

    return evaluate


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    run(store, out)
    return out


def test_a_student_learns_what_it_is_shown(store, tmp_path) -> None:
    (record,) = run(store, tmp_path, settings(train__epochs=30, train__lr=5e-3, augment="none"))
    log = read_log(tmp_path)
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]
    assert record["finished"]
    assert record["steps"] == 90
    assert log[-1]["lr"] < 0.001 * 5e-3


def test_a_run_folder_says_what_was_trained_and_gives_the_student_back(undisturbed, store) -> None:
    record = read_record(undisturbed)
    assert record["teachers"][0]["name"] == "exact x 1"
    assert record["teachers"][0]["licence"] == "CC0-1.0"
    assert record["data"]["stores"] == [store.spec.digest]
    assert record["settings"]["augment"]["rotate_sd"] == 22.0  # the recipe's numbers, not its name
    assert {"kdcache", "torch", "timm"} <= record["versions"].keys()
    assert [entry["step"] for entry in read_log(undisturbed)] == [4, 8, 12]
    assert not (undisturbed / "resume.pt").exists()
    assert list((undisturbed / "tensorboard").iterdir())
    student, loaded = load_student(undisturbed)
    assert loaded.model.input_size == (64, 64)
    assert not student.training
    assert student(torch.zeros(1, 3, 64, 64)).shape == (1, 17, 16, 16)


def test_two_epochs_and_two_more_are_four(store, undisturbed, tmp_path) -> None:
    times = iter([False, True, False, False])
    half = settings(train__evaluate_epochs=1)
    with pytest.raises(SystemExit) as stopped:
        run(store, tmp_path, half, evaluate=stop_when(lambda: next(times)))
    assert stopped.value.code == 143
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["step"] == STEPS // 2
    run(store, tmp_path, half)
    assert equal(tmp_path, undisturbed)


def test_a_run_stopped_at_ten_random_steps_ends_as_if_nothing_had_been(store, undisturbed, tmp_path) -> None:
    chance = random.Random(0)
    restless = settings(train__evaluate_epochs=1 / 100)
    stops = 0
    for _ in range(10):
        try:
            run(store, tmp_path, restless, evaluate=stop_when(lambda: chance.random() < 0.8))
        except SystemExit:
            stops += 1
    run(store, tmp_path, restless)
    assert stops >= 8
    assert equal(tmp_path, undisturbed)
    steps = [entry["step"] for entry in read_log(tmp_path) if "loss" in entry]
    assert steps == [4, 8, 12]
    losses = [[e["loss"] for e in read_log(folder) if "loss" in e] for folder in (tmp_path, undisturbed)]
    assert losses[0] == losses[1]


def test_killed_without_warning_it_goes_on_from_its_last_save(store, undisturbed, tmp_path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(settings(train__checkpoint_minutes=1e-9).model_dump_json())
    command = [sys.executable, "-m", "pipeline.cli", "train", store.url, "--out", str(tmp_path / "run")]
    command += ["--settings", str(file), "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "resume.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    step = torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["step"]
    assert 1 <= step < STEPS
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"step {step} of {STEPS}" in done.stdout
    assert equal(tmp_path / "run", undisturbed)


def test_students_of_one_stream_are_what_each_is_alone(store, undisturbed, tmp_path) -> None:
    wide = settings("wide", model__head_channels=24, train__lr=1e-3)
    control = settings("control", distill__mode="none", train__ema_decay=None)
    run(store, tmp_path / "together", settings("a"), wide, control)
    run(store, tmp_path / "wide", wide)
    run(store, tmp_path / "control", control)
    assert equal(tmp_path / "together" / "a", undisturbed)
    assert equal(tmp_path / "together" / "wide", tmp_path / "wide")
    assert equal(tmp_path / "together" / "control", tmp_path / "control")
    curves = [[e["loss"] for e in read_log(folder)] for folder in (tmp_path / "together" / "a", undisturbed)]
    assert curves[0] == pytest.approx(curves[1], abs=1e-6)


def test_students_that_were_saved_at_different_steps_meet_again(store, tmp_path) -> None:
    pair = [settings("a", train__evaluate_epochs=1), settings("b", train__lr=1e-3, train__evaluate_epochs=1)]
    for students, stop_at in ((pair, [False, True]), (pair[1:], [True])):  # both to epoch 1, then b alone to epoch 2
        times = iter(stop_at)
        with pytest.raises(SystemExit):
            train(
                [store], students, [tmp_path / s.name for s in students], device="cpu", say=lambda line: None,
                evaluate=stop_when(lambda times=times: next(times)),
            )  # fmt: skip
    steps = [torch.load(tmp_path / name / "resume.pt", weights_only=True)["step"] for name in ("a", "b")]
    assert steps == [3, 6]
    run(store, tmp_path, *pair)
    run(store, tmp_path / "alone", *pair)
    for student in pair:
        assert equal(tmp_path / student.name, tmp_path / "alone" / student.name)


def test_a_student_that_joins_later_trains_alone(store, tmp_path) -> None:
    run(store, tmp_path, settings("a"), settings("b", train__lr=1e-3))
    before = (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns
    third = settings("c", train__lr=3e-3)
    train(
        [store], [settings("a"), third], [tmp_path / "a", tmp_path / "c"], device="cpu", say=lambda line: None
    )  # fmt: skip
    assert (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns == before
    assert read_record(tmp_path / "c")["finished"]


def test_a_finished_run_is_left_alone_and_another_is_refused(store, undisturbed) -> None:
    before = {p: p.stat().st_mtime_ns for p in undisturbed.iterdir()}
    said: list[str] = []
    train([store], [settings()], [undisturbed], device="cpu", say=said.append)
    assert "nothing to do" in said[0]
    run(store, undisturbed, settings(train__workers=3, train__log_steps=1))  # of speed alone
    with pytest.raises(ValueError, match=r"train.lr: found 0.002, asked for 0.004(.|\n)*--overwrite"):
        run(store, undisturbed, settings(train__lr=4e-3))
    assert {p: p.stat().st_mtime_ns for p in undisturbed.iterdir()} == before


def test_overwrite_replaces_another_run_and_no_other_folder(store, tmp_path) -> None:
    run(store, tmp_path / "run", settings(train__epochs=1))
    run(store, tmp_path / "run", settings(train__epochs=2), overwrite=True)
    assert read_record(tmp_path / "run")["steps"] == 6
    assert [e["step"] for e in read_log(tmp_path / "run")] == [4, 6]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        run(store, tmp_path / "other", overwrite=True)


def test_the_best_weights_are_those_with_the_highest_ap(store, tmp_path) -> None:
    seen, scores = [], iter([0.2, 0.5, 0.1, None])

    def evaluate(model: torch.nn.Module, of: StudentSettings) -> dict[str, float | None]:
        assert not model.training
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"AP": next(scores)}

    (record,) = run(store, tmp_path, settings(train__evaluate_epochs=1), evaluate=evaluate)
    best = weights(tmp_path, "best")
    assert all(torch.equal(best[name], value) for name, value in seen[1].items())
    assert record["best"] == {"step": 6, "AP": 0.5}


def test_live_teacher_and_teacher_alone(store, tmp_path) -> None:
    live = settings(distill__mode="live", distill__alpha=1.0, train__epochs=12, augment="none")
    run(store, tmp_path / "live", live, teacher=SeeingTeacher("udp", (64, 64), (16, 16)))
    log = read_log(tmp_path / "live")
    assert "ground_truth" not in log[0]
    assert log[-1]["teacher"] < log[0]["teacher"]
    with pytest.raises(ValueError, match="--teacher"):
        run(store, tmp_path / "none", live)
    assert not (tmp_path / "none").exists()


def test_a_loss_that_is_no_number_stops_the_run(store, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"lower train\.lr"):
        run(
            store,
            tmp_path,
            settings(train__lr=1e30, train__clip_grad=None, train__warmup_epochs=0, train__ema_decay=None),
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_learns_in_bfloat16_from_views_cut_there(store, tmp_path) -> None:
    longer = settings(train__epochs=30, train__lr=5e-3, augment="none")
    train([store], [longer], [tmp_path], device="cuda", say=lambda line: None)
    log = read_log(tmp_path)
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]


def test_what_limits_training_is_measured(store) -> None:
    times = time_loader(store, settings(), device="cpu", steps=4)
    assert times["loader_seconds"] > 0
    assert times["step_seconds"] > 0
    assert times["limit"] in ("loader", "step")
    assert times["instances_per_second"] == pytest.approx(8 / times["both_seconds"])
