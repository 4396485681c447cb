"""Teachers that return something else than heatmaps, by command: one line, exit code 2, and nothing is written."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import BuildJob
from pipeline.cli import main
from tests.samples import wrong_teachers
from tests.samples.constant_onnx import constant_network, peaks
from tests.samples.drawn_store import quick_settings
from tests.samples.small_build import arguments, small_job

WRONG = {
    "grad": "requires grad",
    "float64": "in float64",
    "shape": r"of shape",
    "nan": "NaN or infinity",
    "infinity": "NaN or infinity",
    "bytes_range": "?scale=1/255",
    "probabilities": "?scale=gaussian",
}
REFERENCE = "tests.samples.wrong_teachers:"


class Done(NamedTuple):
    """What a command left."""

    code: int
    output: str
    messages: str


class Command:
    """Runs `kdcache` as typed, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["kdcache", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        found = self.capsys.readouterr()
        return Done(code, found.out, found.err)


@pytest.fixture
def kdcache(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    return replace(small_job(tmp_path), teacher=f"{REFERENCE}right", crops=False)


def assert_refused(done: Done, name: str) -> None:
    """Assert that the teacher was refused in one line that says what it returned and what to do."""
    lines = [line for line in done.messages.splitlines() if line.startswith("error: ")]
    assert done.code == 2
    assert len(lines) == 1
    assert done.messages.strip().endswith(lines[0])
    assert lines[0].startswith(f"error: {name} returns")
    assert WRONG[name] in lines[0]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused_before_a_store_exists(kdcache: Command, job: BuildJob, name: str) -> None:
    assert_refused(kdcache(*arguments(replace(job, teacher=REFERENCE + name))), name)
    assert not Path(job.store).exists()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused_by_evaluate(kdcache: Command, job: BuildJob, name: str) -> None:
    data = ["--images", job.images, "--annotations", job.annotations, "--device", "cpu"]
    assert_refused(kdcache("evaluate", "--teacher", REFERENCE + name, *data), name)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_live_teacher_is_refused_before_a_run_exists(
    kdcache: Command, store: HeatmapStore, tmp_path: Path, name: str
) -> None:
    student = quick_settings(train__epochs=1).model_dump_json()
    live = ["--settings", student, "--distill", "live", "--teacher", REFERENCE + name, "--device", "cpu"]
    assert_refused(kdcache("train", store.url, "--out", tmp_path / "run", *live), name)
    assert not (tmp_path / "run").exists()


def test_the_build_prints_what_the_probe_found(kdcache: Command, job: BuildJob) -> None:
    first = kdcache(*arguments(job))
    assert first.code == 0
    line = "right: crops 256x192, 17 heatmaps 64x48 (udp), values 0 to 0.9 on 8 persons, median peak 0.8"
    assert first.messages.count(line) == 1
    # a finished store needs no teacher, and none is probed
    assert line not in kdcache(*arguments(job)).messages


@pytest.mark.parametrize("name", ["nan", "shape", "grad"])
def test_fidelity_and_recompute_look_at_what_the_teacher_returns(
    kdcache: Command, job: BuildJob, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert kdcache(*arguments(job)).code == 0
    broken = getattr(wrong_teachers, name)("cpu")
    # the same name and digest: the teacher broke after the build
    monkeypatch.setattr(wrong_teachers, "right", wrong_teachers.factory("right", broken.change))
    for words in (
        ("fidelity", job.store, "--rows", 4),
        ("verify", job.store, "--recompute", 4),
    ):
        done = kdcache(*words, "--teacher", job.teacher, "--images", job.images, "--device", "cpu")
        assert done.code == 2
        assert "error: right returns" in done.messages
        assert WRONG[name] in done.messages


def test_two_networks_that_differ_in_their_data_file_never_share_a_store(
    kdcache: Command, job: BuildJob, tmp_path: Path
) -> None:
    references = []
    for name, height in (("a", 0.9), ("b", 0.8)):
        (tmp_path / name).mkdir()
        outputs = {"maps": peaks(height=height)}
        path = constant_network(tmp_path / name / "pose.onnx", outputs, external="pose.onnx.data")
        references.append(f"onnx:{path}?frame=stride")
    first, second = (arguments(replace(job, teacher=reference)) for reference in references)
    assert kdcache(*first).code == 0
    HeatmapStore.open(job.store, mode="r+").forget(1)
    done = kdcache(*second)
    assert done.code == 2
    assert "teacher.digest: found" in done.messages
    assert HeatmapStore.open(job.store).pending() == [1]
    assert kdcache(*first).code == 0


def test_two_settings_of_a_network_never_share_a_store(kdcache: Command, job: BuildJob, tmp_path: Path) -> None:
    path = constant_network(tmp_path / "pose.onnx", {"maps": 255 * peaks()})
    assert kdcache(*arguments(replace(job, teacher=f"onnx:{path}?frame=udp&scale=1/255"))).code == 0
    assert HeatmapStore.open(job.store).spec.teacher.name == "pose?scale=0.00392156862745098"
    np.testing.assert_allclose(HeatmapStore.open(job.store).read([0]), peaks(), atol=0.02)
    done = kdcache(*arguments(replace(job, teacher=f"onnx:{path}?frame=udp&scale=1/300")))
    assert done.code == 2
    assert "teacher.name: found" in done.messages
    assert "teacher.digest: found" in done.messages
