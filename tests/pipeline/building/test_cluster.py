"""Shards on Dask: the same bytes as the plain loop's, whichever process dies."""

import logging
import random
import shutil
import signal
import subprocess
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, LocalCluster

from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.building.cluster import ShardTasks, make_on_cluster, numbers_on_host
from pipeline.building.job import BuildJob
from pipeline.building.worker_maker import worker_device
from tests.samples.small_build import content, run_build, slow, small_job, wait_for_shard

#: counts its networks, of which one is part of a cycle
COUNTED = """
import weakref

from pipeline.teachers.oracle import OracleTeacher

alive = weakref.WeakSet()


def make(device):
    teacher = OracleTeacher("oracle")
    teacher.itself = teacher
    alive.add(teacher)
    return teacher
"""


#: ends a worker that loads it, as a system without memory does
DEADLY = """
import multiprocessing
import os

from pipeline.teachers.oracle import OracleTeacher


def make(device):
    if multiprocessing.parent_process() is not None:
        os._exit(9)
    return OracleTeacher("oracle")
"""


@pytest.fixture
def job(tmp_path: Path) -> BuildJob:
    """Return a build of three shards."""
    return small_job(tmp_path)


def test_workers_write_what_the_plain_loop_writes_and_one_may_die(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(slow(job, 0.03), "--workers", "2")
    wait_for_shard(job, process)
    random.choice(workers_of(process)).kill()
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages
    assert content(job.store) == content(job.store + ".whole")


def test_a_killed_build_takes_its_workers_along_and_resumes(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(slow(job, 0.03), "--workers", "2")
    wait_for_shard(job, process)
    workers = workers_of(process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_a_missing_scheduler_is_reported_at_once(job: BuildJob) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(OSError, match="no Dask scheduler"),
    ):
        build(job, scheduler="tcp://127.0.0.1:9")


def test_builds_share_a_cluster_and_leave_nothing_on_it(
    job: BuildJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two at once and one after them, by paths that are relative to another folder than the workers'."""
    caplog.set_level(logging.INFO)
    jobs = [replace(job, store=f"{codec}.zarr", codec=codec) for codec in ("compact", "exact8", "compact6")]
    with LocalCluster(n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        monkeypatch.chdir(tmp_path)
        near = [replace(j, images=Path("photos"), annotations=Path("photos/persons.json")) for j in jobs]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(partial(build, scheduler=cluster.scheduler_address), near[:2]))
        build(near[2], scheduler=cluster.scheduler_address)
        with Client(cluster) as client:
            left = client.run(lambda dask_worker: [name for name in vars(dask_worker) if name.startswith("kdcache_")])
    assert list(left.values()) == [[], []]
    assert caplog.text.count("44 rows in ") == 3
    for one in jobs:
        build(replace(one, store="plain.zarr"))
        assert content(one.store) == content("plain.zarr")
        shutil.rmtree("plain.zarr")


def test_few_shards_wait_for_a_worker_at_once(job: BuildJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each carries its persons: all of them would be the whole table again, in the scheduler's memory."""
    running: list[int] = []

    def noting(tasks: ShardTasks) -> list[Any]:
        submitted = submit(tasks)
        running.append(len(tasks.running))
        return submitted

    submit = ShardTasks.submit
    monkeypatch.setattr(ShardTasks, "submit", noting)
    monkeypatch.setattr("pipeline.building.cluster.SHARDS_A_THREAD", 1)
    many = replace(job, shard_rows=4)
    build(many, workers=1)
    # a worker has two threads
    assert max(running) == 2
    assert len(running) == 1 + 11
    build(replace(many, store=job.store + ".plain"))
    assert content(job.store) == content(job.store + ".plain")


def test_a_stopped_build_with_workers_says_how_to_go_on(job: BuildJob) -> None:
    build(replace(job, store=job.store + ".whole"))
    process = run_build(slow(job, 0.05), "--workers", "2")
    wait_for_shard(job, process)
    workers = workers_of(process)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 143, messages
    assert "of 3 shards are done and kept; run the same command again to go on" in messages
    assert "Traceback" not in messages
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    build(job)
    assert content(job.store) == content(job.store + ".whole")


def test_workers_of_a_host_are_numbered() -> None:
    addresses = ["tcp://b:5", "tcp://a:70", "tcp://a:9", "tcp://b:6", "tcp://c:1"]
    numbers = numbers_on_host(addresses)
    for host, expected in (("a", [0, 1]), ("b", [0, 1]), ("c", [0])):
        on_host = [number for address, number in numbers.items() if address.startswith(f"tcp://{host}:")]
        assert sorted(on_host) == expected


@pytest.mark.parametrize(
    ("gpus", "device", "devices"),
    [
        (2, "auto", ["cuda:0", "cuda:1", "cuda:0"]),
        (2, "cuda", ["cuda:0", "cuda:1", "cuda:0"]),
        (2, "cuda:1", ["cuda:1"] * 3),
        (2, "cpu", ["cpu"] * 3),
        (0, "auto", ["auto"] * 3),
    ],
)
def test_workers_share_the_gpus_of_a_host(
    monkeypatch: pytest.MonkeyPatch, gpus: int, device: str, devices: list[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/dev/nvidia0")
    assert [worker_device(device, number) for number in range(3)] == devices


def test_the_process_of_a_build_keeps_no_teacher_while_workers_work(
    job: BuildJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counted_teacher.py").write_text(COUNTED)
    monkeypatch.syspath_prepend(tmp_path)
    kept = []

    def noting(*arguments: Any, **options: Any) -> Generator[int, None, None]:
        import counted_teacher

        for made in make_on_cluster(*arguments, **options):
            kept.append(len(counted_teacher.alive))
            yield made

    monkeypatch.setattr("pipeline.building.cluster.make_on_cluster", noting)
    assert build(replace(job, teacher="counted_teacher:make"), workers=1)["rows"] == 44
    assert kept == [0, 0, 0]


def test_a_worker_that_dies_of_the_teacher_is_not_taken_for_the_scheduler(
    job: BuildJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_teacher.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match="a worker ended while it loaded the teacher; out of memory"):
        build(replace(job, teacher="deadly_teacher:make"), workers=1)


def test_a_truncated_photo_ends_the_build_with_its_name(job: BuildJob) -> None:
    photo = job.images / "015.jpg"
    data = photo.read_bytes()
    photo.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"015\.jpg is a damaged JPEG file"):
        build(job, workers=1)
    photo.write_bytes(data)
    assert build(job, workers=1)["rows"] == HeatmapStore.open(job.store).rows


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the worker processes of a build on this host."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
