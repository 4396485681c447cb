"""A build on `dask scheduler` and `dask worker`: what joins, what dies, and what a worker lacks."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from distributed.security import Security

from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from tests.samples.dask_cluster import DASK, DaskCluster, dask_cluster
from tests.samples.small_build import arguments, content, slow, small_job

ROOT = Path(__file__).parents[2]
WAITING = "waiting for workers (0 of at least 1): start them with `dask worker"
TEACHER = """
from pipeline.teachers.oracle import OracleTeacher


class Copy(OracleTeacher):
    digest = "{digest}"


def make(device):
    return Copy("oracle")
"""
#: of an interpreter that finds no installation of kdcache
WITHOUT_KDCACHE = """
import os
import sys

sys.path[:] = [folder for folder in sys.path if not os.path.isdir(os.path.join(folder, "cache_tools"))]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(getattr(finder, "__module__", ""))]
"""


class RunningBuild:
    """`kdcache build` on a cluster, in a process whose messages a test can read while it runs."""

    def __init__(self, job: BuildJob, scheduler: str, **env: str) -> None:
        """Start it. env: more variables."""
        self.job, self.messages = job, Path(f"{job.store}.log")
        command = [sys.executable, "-m", "pipeline.cli", *arguments(job, "--scheduler", scheduler)]
        with self.messages.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=log, stderr=log)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait; fail where the build ends before."""
        end = time.monotonic() + 240
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise AssertionError(self.messages.read_text())
            time.sleep(0.02)

    def wait_until_it_waits(self, times: int = 1) -> None:
        """Wait until the build has said so many times that it has no workers."""
        self.wait_until(lambda: self.messages.read_text().count(WAITING) == times)

    def wait_for_shard(self) -> None:
        """Wait until a shard is done."""
        self.wait_until(lambda: any(Path(self.job.store).glob("ledger/*.json")))

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was printed."""
        try:
            return self.process.wait(timeout=240), self.messages.read_text()
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build of three shards."""
    return small_job(tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Run a scheduler for the tests of this file that don't end theirs."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def dask(running: DaskCluster) -> Iterator[DaskCluster]:
    """Return a cluster without workers; those that the test adds are removed again."""
    yield running
    running.remove_workers()
    with Client(running.address) as client:
        while client.nthreads():
            time.sleep(0.02)


def test_a_build_waits_for_workers_of_which_one_is_killed_and_others_join_later(
    job: BuildJob, dask: DaskCluster
) -> None:
    build(replace(job, store=job.store + ".whole"))
    running = RunningBuild(slow(job, 0.03), dask.address)
    running.wait_until_it_waits()
    first = dask.add_worker()
    running.wait_for_shard()
    first.send_signal(signal.SIGKILL)
    running.wait_until_it_waits(times=2)
    for nanny in (False, True):
        dask.add_worker(nanny=nanny)
    code, messages = running.end()
    assert code == 0, messages
    assert "44 rows in " in messages
    assert content(job.store) == content(job.store + ".whole")


def test_a_lost_scheduler_is_reported_and_the_build_resumes(job: BuildJob, tmp_path: Path) -> None:
    build(replace(job, store=job.store + ".whole"))
    with dask_cluster(tmp_path) as cluster:
        cluster.add_worker()
        running = RunningBuild(slow(job, 0.03), cluster.address)
        running.wait_for_shard()
        cluster.scheduler.kill()
        code, messages = running.end()
    assert code == 2, messages
    assert messages.endswith("error: the Dask scheduler is gone; run the same command again to go on\n")
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_a_worker_with_another_copy_of_the_teacher_is_named(
    job: BuildJob, dask: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "copied_teacher.py").write_text(TEACHER.format(digest=folder))
    dask.add_worker(cwd=tmp_path / "there")
    monkeypatch.syspath_prepend(tmp_path / "here")
    job = replace(job, teacher="copied_teacher:make")
    with pytest.raises(ValueError, match=r"^the worker tcp://.* has another teacher .*digest there, expected here"):
        build(job, scheduler=dask.address)
    assert HeatmapStore.open(job.store).pending() == [0, 1, 2]


def test_workers_that_cannot_import_kdcache_are_named_with_the_reason(
    job: BuildJob, dask: DaskCluster, tmp_path: Path
) -> None:
    """Not installed there; and a module of the working folder, which `python -m` searches first, hides it."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_KDCACHE)
    dask.add_worker(env={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(ValueError, match=r"^the worker tcp://\S+ on \S+ cannot import kdcache: it is not installed"):
        build(job, scheduler=dask.address)
    dask.remove_workers()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/pipeline.py").write_text("")
    module = (sys.executable, "-m", "dask")
    dask.add_worker(program=module, cwd=tmp_path / "mine", env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""})
    expected = r"cannot import kdcache: its package pipeline is \S+/mine/pipeline\.py, .*`dask worker`, not by"
    with pytest.raises(ValueError, match=expected):
        build(job, scheduler=dask.address)


def test_the_advice_holds_in_a_folder_that_hides_kdcache(job: BuildJob, dask: DaskCluster, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/pipeline.py").write_text("")
    dask.add_worker(program=(DASK,), cwd=tmp_path / "mine", env={"PYTHONPATH": str(ROOT)})
    assert build(job, scheduler=dask.address)["rows"] == 44


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        ("photos", "does not see the photos: {folder}/photos/042.jpg: No such file or directory"),
        ("store.zarr", "cannot open the store: there is no store at {folder}/store.zarr"),
    ],
    ids=["photos", "store"],
)
def test_a_worker_that_does_not_see_a_folder_is_named(
    job: BuildJob, dask: DaskCluster, tmp_path: Path, hidden: str, expected: str
) -> None:
    running = RunningBuild(job, dask.address)
    running.wait_until_it_waits()
    (tmp_path / hidden).rename(tmp_path / "elsewhere")
    dask.add_worker()
    code, messages = running.end()
    line = messages.splitlines()[-1]
    assert code == 2, messages
    assert line.startswith("error: the worker tcp://"), messages
    assert expected.format(folder=tmp_path) in line


def test_a_worker_that_joins_later_and_lacks_kdcache_ends_the_build_with_its_name(
    job: BuildJob, dask: DaskCluster, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_KDCACHE)
    good = dask.add_worker()
    running = RunningBuild(slow(job, 0.1), dask.address)
    running.wait_for_shard()
    dask.add_worker(env={"PYTHONPATH": str(tmp_path)})
    good.send_signal(signal.SIGKILL)
    code, messages = running.end()
    assert code == 2, messages
    assert "cannot import kdcache: it is not installed there" in messages.splitlines()[-1]


def test_a_cluster_with_tls_is_reached_by_dask_s_configuration(job: BuildJob, tmp_path: Path) -> None:
    made = Security.temporary()
    for name, text in (("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        (tmp_path / f"{name}.pem").write_text(text)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    options = ("--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key)
    with dask_cluster(tmp_path, "tls", options) as cluster:
        cluster.add_worker()
        code, messages = RunningBuild(job, cluster.address).end()
        assert code == 2, messages
        expected = f"error: no Dask scheduler answers at {cluster.address}: "
        assert messages.splitlines()[-1].startswith(expected), messages
        shutil.rmtree(job.store)
        prefix = "DASK_DISTRIBUTED__COMM__TLS__"
        variables = {"CA_FILE": certificate, "CLIENT__CERT": certificate, "CLIENT__KEY": key}
        env = {prefix + name: str(path) for name, path in variables.items()}
        code, messages = RunningBuild(job, cluster.address, **env).end()
    assert code == 0, messages
    assert HeatmapStore.open(job.store).is_finished()
