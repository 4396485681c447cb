"""A state that is not finite is never saved; the last good one stays."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cache_tools.store.writer import HeatmapStore
from student.models.student import PoseStudent
from student.run_record import read_record
from student.settings import StudentSettings
from student.training import loop
from student.training.finite import is_finite
from student.training.learner import Learner
from tests.samples.drawn_store import quick_settings
from tests.samples.short_run import equal, run, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def test_numbers_are_found_wherever_they_are() -> None:
    state: dict[str, Any] = {"model": {"w": torch.ones(3)}, "groups": [{"lr": math.inf}], "steps": (torch.arange(2),)}
    assert is_finite(state)
    for bad in (math.nan, math.inf, -math.inf):
        assert not is_finite(state | {"ema": [{"w": torch.tensor([0, bad])}]})
    assert not is_finite({"half": torch.tensor([math.nan], dtype=torch.bfloat16)})


def spoil_at(step: int, monkeypatch: pytest.MonkeyPatch, name: str = "a") -> None:
    """Make a weight of the student `name` NaN after some step, as a diverged run has."""
    take_step = loop.take_step

    def spoiling(learner: Learner, *arguments: Any) -> None:
        take_step(learner, *arguments)
        if learner.step == step and learner.settings.name == name:
            with torch.no_grad():
                learner.parameters[0].fill_(math.nan)

    monkeypatch.setattr(loop, "take_step", spoiling)


def test_the_last_good_save_stays_and_the_message_names_it(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # each step is saved; the loss is looked at only every fourth
    restless = quick_settings(train__checkpoint_minutes=1e-9)
    with monkeypatch.context() as patch:
        spoil_at(6, patch)
        with pytest.raises(ValueError, match=r"a ended at step 6 of 12: weights or losses are not finite;") as ended:
            run(store, tmp_path, restless)
    assert f"{tmp_path}/resume.pt is as it was saved after step 5. Lower train.lr" in str(ended.value)
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert state["step"] == 5
    assert is_finite([state["model"], state["ema"]])
    assert not (tmp_path / "best.safetensors").exists()
    # what was saved is whole: without the fault the run ends as one that never had it
    run(store, tmp_path, restless)
    assert equal(tmp_path, undisturbed)


def test_no_weights_of_a_spoiled_student_become_the_best_or_the_last(
    store: HeatmapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def evaluate(model: PoseStudent, settings: StudentSettings) -> dict[str, float]:
        measured.append(0.5)
        return {"AP": 0.5}

    spoil_at(12, monkeypatch)
    with pytest.raises(ValueError, match="ended at step 12 of 12: weights are not finite"):
        run(store, tmp_path, quick_settings(train__evaluate_epochs=2, train__ema_decay=None), evaluate=evaluate)
    assert measured == [0.5]
    assert is_finite(weights(tmp_path, "best"))
    assert not (tmp_path / "last.safetensors").exists()
    assert not read_record(tmp_path).finished


def test_students_beside_a_spoiled_one_are_saved(
    store: HeatmapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = [quick_settings("a"), quick_settings("b")]
    with monkeypatch.context() as patch:
        spoil_at(7, patch, "b")
        with pytest.raises(ValueError, match="b ended at step 8"):
            run(store, tmp_path, *pair)
    assert torch.load(tmp_path / "a" / "resume.pt", weights_only=True)["step"] == 8
    assert not (tmp_path / "b" / "resume.pt").exists()


def test_a_save_that_is_not_finite_is_not_gone_on_from(store: HeatmapStore, tmp_path: Path) -> None:
    def stop(model: PoseStudent, settings: StudentSettings) -> dict[str, float]:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        run(store, tmp_path, quick_settings(train__checkpoint_minutes=1e-9), evaluate=stop)
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    next(iter(state["model"].values())).fill_(math.nan)
    torch.save(state, tmp_path / "resume.pt")
    with pytest.raises(ValueError, match=r"resume.pt holds numbers that are not finite.*--overwrite"):
        run(store, tmp_path)
    run(store, tmp_path, overwrite=True)
    assert read_record(tmp_path).finished
