"""Runs that are stopped, killed or damaged go on, and end with the weights of an undisturbed run."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cache_tools.store.writer import HeatmapStore
from student.settings import StudentSettings
from student.training.learner import Evaluate
from student.training.loop import train
from student.training.metric_logger import read_log
from student.training.stop_signals import StopSignals
from tests.samples.drawn_store import quick_settings
from tests.samples.short_run import STEPS, equal, run
from tests.samples.training_process import TrainingProcess

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.xdist_group("training processes")]


def stop_when(condition: Callable[[], bool]) -> Evaluate:
    """Return an `evaluate` that sends SIGTERM to this process when the condition holds."""

    def evaluate(model: torch.nn.Module, of: StudentSettings) -> dict[str, float]:
        if condition():
            signal.raise_signal(signal.SIGTERM)
        return {}

    return evaluate


def test_two_epochs_and_two_more_are_four(store: HeatmapStore, undisturbed: Path, tmp_path: Path) -> None:
    times = iter([False, True, False, False])
    half = quick_settings(train__evaluate_epochs=1)
    with pytest.raises(SystemExit) as stopped:
        run(store, tmp_path, half, evaluate=stop_when(lambda: next(times)))
    assert stopped.value.code == 143
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["step"] == STEPS // 2
    run(store, tmp_path, half)
    assert equal(tmp_path, undisturbed)


def test_a_run_stopped_at_ten_random_steps_ends_with_the_same_weights(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path
) -> None:
    generator = random.Random(0)
    restless = quick_settings(train__evaluate_epochs=1 / 100)
    stops = 0
    for _ in range(10):
        try:
            run(store, tmp_path, restless, evaluate=stop_when(lambda: generator.random() < 0.8))
        except SystemExit:
            stops += 1
    run(store, tmp_path, restless)
    assert stops >= 8
    assert equal(tmp_path, undisturbed)
    steps = [entry["step"] for entry in read_log(tmp_path) if "loss" in entry]
    assert steps == [4, 8, 12]
    losses = [[e["loss"] for e in read_log(folder) if "loss" in e] for folder in (tmp_path, undisturbed)]
    assert losses[0] == losses[1]


def test_killed_by_sigkill_it_goes_on_from_its_last_save(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path
) -> None:
    student = quick_settings(train__checkpoint_minutes=1e-9)
    with TrainingProcess(store, tmp_path, student) as killed:
        killed.wait_until((tmp_path / "run" / "resume.pt").exists)
        killed.send(signal.SIGKILL)
        assert killed.end()[0] == -signal.SIGKILL
    step = torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["step"]
    assert 1 <= step < STEPS
    with TrainingProcess(store, tmp_path, student) as again:
        code, messages = again.end()
    assert code == 0, messages
    assert f"step {step} of {STEPS}" in messages
    assert equal(tmp_path / "run", undisturbed)


def test_students_that_were_saved_at_different_steps_meet_again(store: HeatmapStore, tmp_path: Path) -> None:
    pair = [
        quick_settings("a", train__evaluate_epochs=1),
        quick_settings("b", train__lr=1e-3, train__evaluate_epochs=1),
    ]
    for students, stop_at in ((pair, [False, True]), (pair[1:], [True])):  # both to epoch 1, then only b to epoch 2
        folders = [tmp_path / s.name for s in students]
        with pytest.raises(SystemExit):
            train([store], students, folders, device="cpu", evaluate=stop_when(iter(stop_at).__next__))
    steps = [torch.load(tmp_path / name / "resume.pt", weights_only=True)["step"] for name in ("a", "b")]
    assert steps == [3, 6]
    run(store, tmp_path, *pair)
    run(store, tmp_path / "apart", *pair)
    for student in pair:
        assert equal(tmp_path / student.name, tmp_path / "apart" / student.name)


def test_two_sigterms_save_and_a_requeued_run_goes_on(store: HeatmapStore, undisturbed: Path, tmp_path: Path) -> None:
    with TrainingProcess(store, tmp_path, quick_settings()) as stopped:
        stopped.wait_until((tmp_path / "run" / "run.json").exists)
        stopped.send(signal.SIGTERM)
        time.sleep(0.05)
        stopped.send(signal.SIGTERM)
        code, messages = stopped.end()
    assert code == 143, messages
    assert "the same command resumes from there" in messages
    assert torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["step"] < STEPS
    run(store, tmp_path / "run", resume=True)
    assert equal(tmp_path / "run", undisturbed)


def test_only_a_second_ctrl_c_interrupts() -> None:
    with StopSignals() as stop:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert stop.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_only_overwrite_replaces_a_damaged_save(store: HeatmapStore, undisturbed: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run(store, tmp_path, quick_settings(train__evaluate_epochs=1), evaluate=stop_when(lambda: True))
    (tmp_path / "resume.pt").write_bytes((tmp_path / "resume.pt").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"resume.pt is damaged .*--overwrite"):
        run(store, tmp_path)
    run(store, tmp_path, overwrite=True)
    assert equal(tmp_path, undisturbed)


def test_resume_where_there_is_nothing_to_resume_says_so(store: HeatmapStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to resume in"):
        run(store, tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()
