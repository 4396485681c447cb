"""Learning curves: seeds are one curve, gains are by seed, and what cannot be compared is refused."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import kdcache
from pipeline.report.curves import curves_table, draw_curves, read_arms
from student.run_record import RunRecord, write_record
from student.settings import StudentSettings
from student.training.metric_logger import append_log

STEPS = (10, 20)
#: AP at STEPS by run
RUNS = {
    "few": (0.01, 0.030),
    "few-control": (0.01, 0.010),
    "few-seed1": (0.02, 0.036),
    "few-seed1-control": (0.00, 0.012),
    "kl": (0.01, 0.020),
    "kl-seed1": (0.01, 0.022),
}


def write_run(folder: Path, name: str, ap: tuple[float, ...], *, finished: bool = True) -> Path:
    run = folder / name
    run.mkdir(parents=True)
    seed = int("seed1" in name)
    settings = StudentSettings.model_validate({"name": name, "train": {"seed": seed}})
    write_record(run, RunRecord(name=name, settings=settings, finished=finished, seconds=7.0))
    for step, value in zip(STEPS, ap, strict=True):
        append_log(run, {"step": step, "loss": 1.0})
        append_log(run, {"step": step, "AP": value})
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [write_run(tmp_path / "runs", name, ap) for name, ap in RUNS.items()]


def test_gains_are_by_seed_and_the_spread_is_that_of_the_seeds(runs: list[Path]) -> None:
    arms = read_arms(runs)
    assert [(arm.name, arm.seeds) for arm in arms] == [("few", (0, 1)), ("few-control", (0, 1)), ("kl", (0, 1))]
    few, control, kl = curves_table(arms, "few-control").splitlines()[2:]
    # spread: 0.6 / sqrt(2)
    assert few == "| few | 3.00, 3.60 | 3.30 | 0.42 | +2.20 (+2.00, +2.40) | 0.28 | 5.2 | 7 |"
    assert control == "| few-control | 1.00, 1.20 | 1.10 | 0.14 |  |  |  | 7 |"
    assert "| +1.00 (+1.00, +1.00) | 0.00 | 7.1 |" in kl
    assert "+1.00" not in curves_table(arms)


def test_a_curve_is_the_mean_in_a_band_and_a_control_has_its_students_colour(runs: list[Path]) -> None:
    (axes,) = draw_curves(read_arms(runs)).axes
    few, control, kl = axes.lines
    np.testing.assert_allclose(np.asarray(few.get_xydata()), np.array([(10, 1.5), (20, 3.3)]))
    assert few.get_color() == control.get_color() != kl.get_color()
    assert (few.get_linestyle(), control.get_linestyle()) == ("-", "--")
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((1.0, 3.6))


def test_runs_that_cannot_be_compared_are_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"few and few-control cannot be compared: seeds \(0, 1\) and \(0,\)"):
        curves_table(read_arms(runs[:3]))
    with pytest.raises(ValueError, match="--against nobody: expected one of few, few-control, kl"):
        curves_table(read_arms(runs), "nobody")
    with pytest.raises(ValueError, match="few is there twice with one seed"):
        read_arms([runs[0], runs[0]])
    with pytest.raises(ValueError, match="is not finished"):
        read_arms([write_run(tmp_path, "begun", (0.0, 0.0), finished=False)])
    bare = tmp_path / "bare"
    bare.mkdir()
    write_record(bare, RunRecord(name="bare", settings=StudentSettings(name="bare"), finished=True))
    with pytest.raises(ValueError, match="logged no AP: train it with --val-images"):
        read_arms([bare])
    with pytest.raises(ValueError, match="logged no AP50"):
        read_arms(runs, "AP50")


def test_the_command_draws_and_prints(runs: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "curves.svg"
    arguments = ["report", "curves", *map(str, runs), "--against", "few-control", "--out", str(picture)]
    result = CliRunner().invoke(kdcache, arguments, catch_exceptions=False)
    assert result.output == curves_table(read_arms(runs), "few-control")
    assert picture.read_bytes().startswith(b"<?xml")
