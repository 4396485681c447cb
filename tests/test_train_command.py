"""`kdcache train` and `kdcache benchmark --loader` as commands."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from drawn_store import draw, settings, write_store
from short_run import ROWS

from cache_tools.store import HeatmapStore
from student.checkpoint import read_record
from student.train import train


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


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "train", *arguments],
        capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_the_command_names_every_mistake_in_the_settings(store, tmp_path) -> None:
    result = command(store.url, "--out", str(tmp_path / "run"), "-s", "train.epohs=3", "--lr", "-1", "--alpha", "2")
    assert result.returncode == 2
    for part in ("train.epohs: ", "train.lr: Input should be greater than 0", "distill.alpha"):
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_the_command_trains_several_and_writes_a_receipt(store, tmp_path) -> None:
    students = [json.loads(settings(name).model_dump_json()) for name in ("one", "two")]
    (tmp_path / "students.yaml").write_text(json.dumps(students))  # JSON is YAML
    result = command(
        store.url, "--students", str(tmp_path / "students.yaml"), "--out", str(tmp_path / "runs"), "--device", "cpu",
        "--epochs", "1", "-s", "model.head_channels=8", "--receipt", str(tmp_path / "receipt.json"),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "epochs: 1.0" in result.stdout
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert [r["name"] for r in receipt["runs"]] == ["one", "two"]
    assert read_record(tmp_path / "runs" / "two")["settings"]["model"]["head_channels"] == 8


def test_what_limits_training_is_a_command(store, tmp_path) -> None:
    from click.testing import CliRunner

    from pipeline.commands.benchmark import command as benchmark

    train([store], [settings(train__epochs=1)], [tmp_path / "run"], device="cpu", say=lambda line: None)
    asked = [
        str(tmp_path / "run"),
        "--loader",
        str(store.url),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "limits.json"),
    ]
    result = CliRunner().invoke(benchmark, asked)
    assert result.exit_code == 0, result.output
    assert "limits" in result.output
    assert json.loads((tmp_path / "limits.json").read_text())["batch_size"] == 8
