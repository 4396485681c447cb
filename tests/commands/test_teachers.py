"""Teachers that return something else than heatmaps, by command: one line, exit code 2, and nothing is written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import BuildJob
from tests.samples import wrong_teachers
from tests.samples.command_line import Ended, run_command
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


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    return replace(small_job(tmp_path), teacher=f"{REFERENCE}right", crops=False)


def assert_refused(done: Ended, name: str) -> None:
    """Assert that the teacher was refused in one line that says what it returned and what to do."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.code == 2
    assert len(lines) == 1
    assert done.stderr.strip().endswith(lines[0])
    assert lines[0].startswith(f"error: {name} returns")
    assert WRONG[name] in lines[0]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused_before_a_store_exists(job: BuildJob, name: str) -> None:
    assert_refused(run_command(*arguments(replace(job, teacher=REFERENCE + name))), name)
    assert not Path(job.store).exists()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_refused_by_evaluate(job: BuildJob, name: str) -> None:
    data: list[str | Path] = ["--images", job.images, "--annotations", job.annotations, "--device", "cpu"]
    assert_refused(run_command("evaluate", "--teacher", REFERENCE + name, *data), name)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_live_teacher_is_refused_before_a_run_exists(store: HeatmapStore, tmp_path: Path, name: str) -> None:
    student = quick_settings(train__epochs=1).model_dump_json()
    live = ["--settings", student, "--distill", "live", "--teacher", REFERENCE + name, "--device", "cpu"]
    assert_refused(run_command("train", store.url, "--out", tmp_path / "run", *live), name)
    assert not (tmp_path / "run").exists()


def test_the_build_prints_what_the_probe_found(job: BuildJob) -> None:
    first = run_command(*arguments(job))
    assert first.code == 0
    line = "right: crops 256x192, 17 heatmaps 64x48 (udp), values 0 to 0.9 on 8 persons, median peak 0.8"
    assert first.stderr.count(line) == 1
    # a finished store needs no teacher, and none is probed
    assert line not in run_command(*arguments(job)).stderr


@pytest.mark.parametrize("name", ["nan", "shape", "grad"])
def test_fidelity_and_recompute_look_at_what_the_teacher_returns(
    job: BuildJob, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert run_command(*arguments(job)).code == 0
    broken = getattr(wrong_teachers, name)("cpu")
    # the same name and digest: the teacher broke after the build
    monkeypatch.setattr(wrong_teachers, "right", wrong_teachers.factory("right", broken.change))
    for words in (
        ("fidelity", job.store, "--rows", "4"),
        ("verify", job.store, "--recompute", "4"),
    ):
        done = run_command(*words, "--teacher", job.teacher, "--images", job.images, "--device", "cpu")
        assert done.code == 2
        assert "error: right returns" in done.stderr
        assert WRONG[name] in done.stderr


def test_two_networks_that_differ_in_their_data_file_never_share_a_store(job: BuildJob, tmp_path: Path) -> None:
    references = []
    for name, height in (("a", 0.9), ("b", 0.8)):
        (tmp_path / name).mkdir()
        outputs = {"maps": peaks(height=height)}
        path = constant_network(tmp_path / name / "pose.onnx", outputs, external="pose.onnx.data")
        references.append(f"onnx:{path}?frame=stride")
    first, second = (arguments(replace(job, teacher=reference)) for reference in references)
    assert run_command(*first).code == 0
    HeatmapStore.open(job.store, mode="r+").forget(1)
    done = run_command(*second)
    assert done.code == 2
    assert "teacher.digest: found" in done.stderr
    assert HeatmapStore.open(job.store).pending() == [1]
    assert run_command(*first).code == 0


def test_two_settings_of_a_network_never_share_a_store(job: BuildJob, tmp_path: Path) -> None:
    path = constant_network(tmp_path / "pose.onnx", {"maps": 255 * peaks()})
    assert run_command(*arguments(replace(job, teacher=f"onnx:{path}?frame=udp&scale=1/255"))).code == 0
    assert HeatmapStore.open(job.store).spec.teacher.name == "pose?scale=0.00392156862745098"
    np.testing.assert_allclose(HeatmapStore.open(job.store).read([0]), peaks(), atol=0.02)
    done = run_command(*arguments(replace(job, teacher=f"onnx:{path}?frame=udp&scale=1/300")))
    assert done.code == 2
    assert "teacher.name: found" in done.stderr
    assert "teacher.digest: found" in done.stderr
