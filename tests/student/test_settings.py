"""Settings refuse what no run can be made of, and each of them does what it says."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cache_tools.skeletons import COCO
from cache_tools.store.writer import HeatmapStore
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.checkpoint import load_model
from student.heatmaps.decode import dark_decode
from student.settings import StudentSettings
from student.training.distributed import ProcessContext
from student.training.learner import Learner, warmup_steps
from student.training.metric_logger import read_log
from student.training.step import take_step
from tests.samples.drawn_store import draw_photos, quick_settings, write_store
from tests.samples.short_run import ROWS, run

CPU = ProcessContext(torch.device("cpu"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "a.zarr", folder / "photos", draw_photos(folder / "photos", ROWS))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("augment", "half_body_joints"), 0),
        (("augment", "scale_range"), [1.5, 0.5]),
        (("augment", "scale_range"), [0.0, 1.0]),
        (("train", "max_rows"), 0),
        (("train", "warmup_epochs"), 200),
    ],
)
def test_a_setting_out_of_bounds_is_an_error_with_its_path(path: tuple[str, str], value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        StudentSettings.model_validate({"name": "a", path[0]: {path[1]: value}})
    assert any(set(path) <= set(mistake["loc"]) for mistake in refused.value.errors())


def test_the_warm_up_is_what_is_stated_or_a_tenth_at_most() -> None:
    assert warmup_steps(None, steps=20_000, steps_per_epoch=100) == 500
    assert warmup_steps(None, steps=300, steps_per_epoch=100) == 30
    assert warmup_steps(1.5, steps=300, steps_per_epoch=100) == 150
    assert warmup_steps(0, steps=300, steps_per_epoch=100) == 0


def test_a_short_run_with_default_warm_up_rises_and_falls(
    store: HeatmapStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        run(store, tmp_path, quick_settings(train__epochs=4, train__warmup_epochs=None, train__log_steps=1))
    rates = [entry["lr"] for entry in read_log(tmp_path)]
    assert max(rates) == rates[1] == 2e-3
    assert rates[-1] < 1e-4
    assert "12 steps (1 of warm-up)" in caplog.messages[-1]


def test_alpha_goes_to_its_end(store: HeatmapStore, tmp_path: Path) -> None:
    run(store, tmp_path, quick_settings(distill__alpha=1.0, distill__alpha_end=0.0, train__log_steps=1))
    log = read_log(tmp_path)
    assert "ground_truth" not in log[0]
    assert "teacher" not in log[-1]
    for number, entry in enumerate(log):
        alpha = 1 - number / (len(log) - 1)
        parts = (1 - alpha) * entry.get("ground_truth", 0) + alpha * entry.get("teacher", 0)
        assert entry["loss"] == pytest.approx(parts, rel=1e-5)


def test_a_compiled_student_leaves_weights_as_any_other(
    store: HeatmapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as torch.compile traces; the traced graph is run as it is, which needs no C++ compiler."""
    whole = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **_: whole(model, backend="eager"))
    run(store, tmp_path / "compiled", quick_settings(train__compile=True, train__epochs=1))
    run(store, tmp_path / "plain", quick_settings(train__epochs=1))
    losses = [read_log(tmp_path / name)[-1]["loss"] for name in ("compiled", "plain")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    model, _ = load_model(tmp_path / "compiled", "last")
    assert not any("_orig_mod" in name for name in model.state_dict())


@pytest.mark.parametrize("loss", ["adaptive_wing", "mse", "kl"])
def test_every_loss_learns_a_batch_by_heart(store: HeatmapStore, tmp_path: Path, loss: str) -> None:
    """So well that the heatmaps decode to the joints, `kl` at its default temperature too."""
    wider = {"channels": [8, 16, 16, 16], "stem_width": 8}
    student = quick_settings(
        distill__loss=loss, augment="none", train__lr=1e-2, train__ema_decay=None, model__backbone_options=wider
    )
    with TrainLoader([store], stream_of([student])) as loader:
        (batch,) = loader.batches(0, 1)
    learner = Learner(student, tmp_path, skeleton=COCO, steps=120, steps_per_epoch=120, process=CPU)
    for _ in range(120):
        take_step(learner, batch)
    with torch.no_grad():
        found, score = dark_decode(learner.model(batch.images))
    seen = batch.target_weight > 0
    distance = (found - dark_decode(batch.targets)[0]).norm(dim=-1)[seen]
    assert (distance < 1).float().mean() > 0.9
    assert score[seen].median() > 0.4
