"""Runs that learn, stop, go on, and come out the same; several students from one stream."""

from pathlib import Path

import pytest
import torch

from cache_tools.store.writer import HeatmapStore
from pipeline.costs.loader import time_loader
from student.augment_recipes import RECIPES
from student.checkpoint import load_model
from student.run_record import read_record
from student.settings import StudentSettings
from student.training.loop import train
from student.training.metric_logger import read_log
from tests.samples.drawn_store import ColourTeacher, quick_settings
from tests.samples.short_run import equal, run, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_student_learns(store: HeatmapStore, tmp_path: Path) -> None:
    (record,) = run(store, tmp_path, quick_settings(train__epochs=30, train__lr=5e-3, augment="none"))
    log = read_log(tmp_path)
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]
    assert record.finished
    assert record.steps == 90
    assert log[-1]["lr"] < 0.001 * 5e-3


def test_a_run_s_folder_describes_the_run_and_holds_the_student(undisturbed: Path, store: HeatmapStore) -> None:
    record = read_record(undisturbed)
    assert record.teachers[0]["name"] == "exact x 1"
    assert record.teachers[0]["licence"] == "CC0-1.0"
    assert record.data.stores == [store.spec.digest]
    assert record.settings.augment == RECIPES["light"]  # numbers, not the name
    assert {"kdcache", "torch", "timm"} <= record.versions.keys()
    assert [entry["step"] for entry in read_log(undisturbed)] == [4, 8, 12]
    assert not (undisturbed / "resume.pt").exists()
    assert list((undisturbed / "tensorboard").iterdir())
    model, loaded = load_model(undisturbed)
    assert loaded.model.input_size == (64, 64)
    assert not model.training
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 17, 16, 16)


def test_students_of_one_stream_equal_those_of_runs_apart(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path
) -> None:
    wide = quick_settings("wide", model__head_channels=24, train__lr=1e-3)
    control = quick_settings("control", distill__mode="none", train__ema_decay=None)
    run(store, tmp_path / "together", quick_settings("a"), wide, control)
    run(store, tmp_path / "wide", wide)
    run(store, tmp_path / "control", control)
    assert equal(tmp_path / "together" / "a", undisturbed)
    assert equal(tmp_path / "together" / "wide", tmp_path / "wide")
    assert equal(tmp_path / "together" / "control", tmp_path / "control")
    curves = [[e["loss"] for e in read_log(folder)] for folder in (tmp_path / "together" / "a", undisturbed)]
    assert curves[0] == pytest.approx(curves[1], abs=1e-6)


def test_of_two_students_the_finished_one_is_left_as_it_is(store: HeatmapStore, tmp_path: Path) -> None:
    run(store, tmp_path, quick_settings("a"), quick_settings("b", train__lr=1e-3))
    before = (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns
    third = quick_settings("c", train__lr=3e-3)
    train([store], [quick_settings("a"), third], [tmp_path / "a", tmp_path / "c"], device="cpu")
    assert (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns == before
    assert read_record(tmp_path / "c").finished


def test_a_finished_run_is_left_as_it_is_and_another_is_refused(
    store: HeatmapStore, undisturbed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = {p: p.stat().st_mtime_ns for p in undisturbed.iterdir()}
    with caplog.at_level("INFO"):
        train([store], [quick_settings()], [undisturbed], device="cpu")
    assert "nothing to do" in caplog.messages[0]
    run(store, undisturbed, quick_settings(train__workers=3, train__log_steps=1))  # settings of speed
    with pytest.raises(ValueError, match=r"train.lr: found 0.002, requested 0.004(.|\n)*--overwrite"):
        run(store, undisturbed, quick_settings(train__lr=4e-3))
    assert {p: p.stat().st_mtime_ns for p in undisturbed.iterdir()} == before


def test_overwrite_replaces_another_run_and_no_other_folder(store: HeatmapStore, tmp_path: Path) -> None:
    run(store, tmp_path / "run", quick_settings(train__epochs=1))
    run(store, tmp_path / "run", quick_settings(train__epochs=2), overwrite=True)
    assert read_record(tmp_path / "run").steps == 6
    assert [e["step"] for e in read_log(tmp_path / "run")] == [4, 6]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        run(store, tmp_path / "other", overwrite=True)


def test_the_best_weights_are_those_with_the_highest_ap(store: HeatmapStore, tmp_path: Path) -> None:
    seen, scores = [], iter([0.2, 0.5, 0.1, None])

    def evaluate(model: torch.nn.Module, of: StudentSettings) -> dict[str, float | None]:
        assert not model.training
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"AP": next(scores)}

    (record,) = run(store, tmp_path, quick_settings(train__evaluate_epochs=1), evaluate=evaluate)
    best = weights(tmp_path, "best")
    assert all(torch.equal(best[name], value) for name, value in seen[1].items())
    assert record.best == {"step": 6, "AP": 0.5}


def test_a_live_teacher_without_ground_truth(store: HeatmapStore, tmp_path: Path) -> None:
    live = quick_settings(distill__mode="live", distill__alpha=1.0, train__epochs=12, augment="none")
    run(store, tmp_path / "live", live, teacher=ColourTeacher("udp", (64, 64), (16, 16)))
    log = read_log(tmp_path / "live")
    assert "ground_truth" not in log[0]
    assert log[-1]["teacher"] < log[0]["teacher"]
    with pytest.raises(ValueError, match="--teacher"):
        run(store, tmp_path / "none", live)
    assert not (tmp_path / "none").exists()


def test_a_loss_that_is_no_number_stops_the_run(store: HeatmapStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"last 4 steps is nan; nothing was saved before. Lower train\.lr"):
        run(
            store,
            tmp_path,
            quick_settings(train__lr=1e30, train__clip_grad=None, train__warmup_epochs=0, train__ema_decay=None),
        )


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_gpu_learns_in_bfloat16_from_views_cut_there(store: HeatmapStore, tmp_path: Path, compiled: bool) -> None:
    longer = quick_settings(train__epochs=30, train__lr=5e-3, augment="none", train__compile=compiled)
    train([store], [longer], [tmp_path], device="cuda")
    log = read_log(tmp_path)
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]


def test_what_limits_training_is_measured(store: HeatmapStore) -> None:
    times = time_loader(store, quick_settings(), device="cpu", steps=4)
    assert times.loader_seconds > 0
    assert times.step_seconds > 0
    assert times.limit in ("loader", "step")
    assert times.instances_per_second == pytest.approx(8 / times.both_seconds)
