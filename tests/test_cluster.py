"""Shards on Dask: the same bytes as the plain loop's, whichever process dies."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import distributed  # noqa: F401  dask.config.set must find its settings there
import numpy as np
import psutil
import pytest
from small_build import BENCHMARKS, content, run_build, small_job, wait_for_shard

from cache_tools.store import HeatmapStore
from pipeline.build import BuildJob, build


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildJob:
    """A build of three shards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return small_job(tmp_path)


@pytest.fixture
def scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """A cluster of one worker that was there before the build: its address, the scheduler and the worker's nanny."""
    port = np.random.default_rng().integers(20_000, 40_000)
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS), "ORACLE_SECONDS_A_CROP": "0.02"}
    head = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet)
    worker = subprocess.Popen([*dask, "worker", address, "--nthreads", "2", "--no-dashboard"], env=environment, **quiet)
    yield address, head, worker
    for process in (worker, head):
        process.kill()
        process.wait()


def test_workers_write_what_the_plain_loop_writes_and_one_may_die(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(job, "--workers", "2", ORACLE_SECONDS_A_CROP="0.03")
    wait_for_shard(job, process)
    random.choice(workers_of(process)).kill()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert content(job.store) == content(job.store + ".whole")


def test_a_killed_build_takes_its_workers_along_and_resumes(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(job, "--workers", "2", ORACLE_SECONDS_A_CROP="0.03")
    wait_for_shard(job, process)
    workers = workers_of(process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_a_lost_scheduler_is_told_and_the_build_resumes(job: BuildJob, scheduler) -> None:
    address, head, _ = scheduler
    build(replace(job, store=job.store + ".whole"))
    process = run_build(job, "--scheduler", address)
    wait_for_shard(job, process)
    head.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "the Dask scheduler is gone; run the same command again to go on" in said
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_no_scheduler_is_told_at_once(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(OSError, match="no Dask scheduler"),
    ):
        build(job, scheduler="tcp://127.0.0.1:9")


def test_a_truncated_photo_ends_the_build_with_its_name(job: BuildJob) -> None:
    photo = job.images / "015.jpg"
    data = photo.read_bytes()
    photo.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"015\.jpg is truncated"):
        build(job, workers=1)
    photo.write_bytes(data)
    assert build(job, workers=1)["rows"] == HeatmapStore.open(job.store).rows


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker processes of a build on this host."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
