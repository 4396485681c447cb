"""Make shards on Dask: on worker processes of this host, or on a cluster that is running already.

A worker loads the teacher once and opens the store itself, therefore a task is only a shard's number. Tasks may run
twice and workers may die: writing a shard is idempotent, and the ledger says which shards are done.
"""

import contextlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Client, KilledWorker, WorkerPlugin, as_completed, get_worker
from distributed.comm.core import CommClosedError

from cache_tools.prefetch import usable_cpus
from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import BuildJob
from pipeline.building.local_cluster import local_cluster
from pipeline.building.shard_maker import ShardMaker
from pipeline.building.stop_request import LOOK_SECONDS, StopRequest
from pipeline.teachers.load import load_network
from pipeline.teachers.names import absolute_reference
from student.pose_network import PoseNetwork

#: of a shard, when its worker died or raised
RETRIES = 3


class TeacherOnWorker(WorkerPlugin):
    """Loads the job's teacher once on each worker, for one build: several builds may share a cluster."""

    def __init__(self, job: BuildJob, build_id: str, numbers: dict[str, int]) -> None:
        """Describe the build. numbers: of each worker, by its address, among those of its host."""
        self.job, self.numbers = job, numbers
        # by this name Dask distinguishes plugins, and `make_shard` finds the maker
        self.name = maker_name(build_id)

    def setup(self, worker: Any) -> None:
        """Open the store and find the teacher; ValueError where it is another than the store's."""
        job = self.job
        number = worker.name if isinstance(worker.name, int) else self.numbers.get(worker.address, 0)
        threads = job.threads or worker.state.nthreads
        store = HeatmapStore.open(job.store, mode="r+")
        # the process that started the build has loaded the same teacher and shown its warnings
        logging.getLogger("pipeline.teachers").setLevel(logging.ERROR)
        teacher = load_network(
            job.teacher,
            worker_device(job.device, number),
            job.flip,
            threads,
            store.spec.skeleton,
            dict(job.joints),
        )
        check_same_teacher(teacher, store, worker.address)
        maker = ShardMaker(store, teacher, job.images, batch_size=job.batch_size, readers=threads)
        setattr(worker, self.name, maker)

    def teardown(self, worker: Any) -> None:
        """Drop the shards in flight, and the teacher."""
        maker: ShardMaker | None = getattr(worker, self.name, None)
        if maker is not None:
            maker.stop()
            delattr(worker, self.name)


def check_same_teacher(teacher: PoseNetwork, store: HeatmapStore, address: str) -> None:
    """Raise ValueError where a worker has another copy of the teacher than the process that began the store."""
    expected = store.spec.teacher.digest
    if teacher.digest != expected:
        raise ValueError(
            f"the worker {address} on {socket.gethostname()} has another teacher of the name {teacher.name}: digest "
            f"{teacher.digest[:16]}, expected {expected[:16]}, the store's; give every host the same files and versions"
        )


def maker_name(build_id: str) -> str:
    """Return the name of the attribute in which a worker keeps its ShardMaker."""
    return f"kdcache_{build_id}"


def worker_device(device: str, number: int) -> str:
    """Return `device`, or `cuda:N` where the workers of a host share several GPUs, by the worker's number.

    A worker that joins a running build has number 0: start such workers each with its own CUDA_VISIBLE_DEVICES.
    """
    if device not in ("auto", "cuda") or not Path("/dev/nvidia0").exists():
        return device
    # 3 s and 300 MB, which only hosts with a GPU need
    import torch

    gpus = torch.cuda.device_count()
    return f"cuda:{number % gpus}" if gpus else device


def numbers_on_host(addresses: Iterable[str]) -> dict[str, int]:
    """Return the number of each worker, by its address, among those of its host: 0, 1, and on."""
    last: dict[str, int] = {}
    numbers = {}
    for address in sorted(addresses):
        host = address.rpartition(":")[0]
        numbers[address] = last[host] = last.get(host, -1) + 1
    return numbers


def make_shard(shard: int, build_id: str) -> int | ValueError:
    """Make one shard on a worker and return the number of its rows, or the ValueError that a retry would meet again."""
    maker: ShardMaker = getattr(get_worker(), maker_name(build_id))
    try:
        return maker.make(shard)
    except ValueError as error:
        return error


def make_on_cluster(
    job: BuildJob, shards: list[int], stop: StopRequest, workers: int = 0, scheduler: str | None = None
) -> Generator[int, None, None]:
    """Make the shards on `workers` processes of this host or on a cluster; yield the rows of each when it is done.

    Raises ValueError where a worker has another teacher than the store, OSError where the scheduler is lost, and what a
    teacher or a photo raised once its retries are used up.
    """
    build_id = uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            job = replace(job, threads=job.threads or max(1, usable_cpus() // workers))
            cluster = stack.enter_context(local_cluster(workers))
            client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]  # as below
        else:
            client = stack.enter_context(connect(scheduler))
        numbers = numbers_on_host(client.run(os.getpid))
        client.register_plugin(TeacherOnWorker(with_absolute_paths(job), build_id, numbers))
        futures = [
            client.submit(make_shard, shard, build_id, key=f"shard-{shard}-{build_id}", retries=RETRIES)
            for shard in shards
        ]
        try:
            finished: Any = as_completed(futures)  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
            while not finished.is_empty():
                batch = finished.next_batch(block=False)
                if not batch:
                    time.sleep(LOOK_SECONDS)
                stop.check()
                for future in batch:
                    made = future.result()
                    if isinstance(made, ValueError):
                        raise made
                    yield made
        except (CancelledError, CommClosedError) as error:
            raise OSError("the Dask scheduler is gone; run the same command again to go on") from error
        except KilledWorker as error:
            raise OSError(f"{error}; out of memory? Run the same command again with fewer --workers") from error
        finally:
            # the scheduler may be gone
            with contextlib.suppress(CancelledError, OSError):
                client.cancel(futures)
                if scheduler is not None and client.status == "running":
                    client.unregister_worker_plugin(maker_name(build_id))


def connect(scheduler: str) -> Client:
    """Return a client of a cluster that is running already; OSError where none answers."""
    try:
        return Client(scheduler)  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
    except OSError as error:
        raise OSError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error


def with_absolute_paths(job: BuildJob) -> BuildJob:
    """Return the same job for workers that were started in other folders."""
    store = job.store if "://" in job.store else os.path.abspath(job.store)
    return replace(job, store=store, images=job.images.absolute(), teacher=absolute_reference(job.teacher))
