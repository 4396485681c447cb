"""`kdcache benchmark` as typed: cost.json, what limits a training, options without effect."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.commands.benchmark import command
from pipeline.costs.cost_file import Cost
from pipeline.costs.loader import StepTimes
from tests.samples.small_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


def test_the_command_writes_cost_json(run: Path, tmp_path: Path) -> None:
    options = ["--seconds", "0.05", "--batch-size", "2", "--device", "cpu", "--no-onnx"]
    result = CliRunner().invoke(command, [str(run), "--out", str(tmp_path / "a/cost.json"), *options])
    assert result.exit_code == 0, result.output
    cost = json.loads((tmp_path / "a/cost.json").read_text())
    assert f"{cost['params_m']:.3f} M parameters" in result.output
    assert "onnxruntime" not in cost
    backbone = ["--backbone", "timm:resnet10t", "--head", "lateral", "--input-size", "64", "64"]
    result = CliRunner().invoke(command, [*backbone, *options])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("timm:resnet10t: 5.005 M parameters")


def test_one_thing_at_a_time(run: Path) -> None:
    for arguments in ([], [str(run), "--backbone", "resnet50"]):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2
        assert "give one of RUN, --teacher REF and --backbone NAME" in result.output


def test_a_teacher_s_cost_names_its_reference(run: Path, tmp_path: Path) -> None:
    options = ["--seconds", "0.05", "--batch-size", "2", "--device", "cpu", "--out", str(tmp_path / "cost.json")]
    result = CliRunner().invoke(command, ["--teacher", f"student:{run}", *options])
    assert result.exit_code == 0, result.output
    cost = Cost.read(tmp_path / "cost.json")
    assert (cost.reference, cost.batch_size, cost.onnxruntime) == (f"student:{run}", 2, None)
    assert "images/s in batches of 2" in result.output


def test_the_loader_and_the_step_of_a_training_are_timed(
    store: HeatmapStore, undisturbed: Path, tmp_path: Path
) -> None:
    arguments = [str(undisturbed), "--loader", store.url, "--device", "cpu", "--out", str(tmp_path / "times.json")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    times = StepTimes.read(tmp_path / "times.json")
    assert f"a step of {times.batch_size}: loader alone {times.loader_seconds:.3f} s" in result.output
    assert times.both_seconds > 0.8 * max(times.loader_seconds, times.step_seconds)
    assert times.limit == ("loader" if times.loader_seconds > times.step_seconds else "step")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--loader", "s.zarr", "--seconds", "1", "--no-onnx"], "--seconds, --onnx would be ignored: --loader"),
        (["--loader", "s.zarr"], "--loader times the training of a RUN"),
        (["run", "--images", "photos"], "--images would be ignored: only --loader reads photos"),
        (["run", "--head", "lateral"], "--head would be ignored: they describe a --backbone"),
        (["--teacher", "none", "--onnx"], "--onnx would be ignored: only a student is exported"),
    ],
)
def test_options_without_effect_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert message in result.output
