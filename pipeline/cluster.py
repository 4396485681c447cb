"""The same shards on Dask: worker processes of this host, or a cluster that is running already.

A worker loads the teacher once and opens the store itself, so a task is no more than a shard's number. Tasks may run
twice, and workers may die: writing a shard is idempotent, and only the ledger says what is done.
"""

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.comm import CommClosedError

from cache_tools.store import HeatmapStore
from pipeline.build import SHARDS_AT_ONCE, BuildJob
from pipeline.shard_maker import ShardMaker
from pipeline.teachers import load_teacher

PLUGIN, MAKER = "kdcache", "kdcache_shard_maker"
RETRIES = 3  # of a shard, when its worker died or raised


class TeacherOnWorker(WorkerPlugin):
    """Loads the job's teacher once on each worker: on the worker's own GPU, where there are any."""

    name = PLUGIN

    def __init__(self, job: BuildJob) -> None:
        self.job = job

    def setup(self, worker: Any) -> None:
        """Open the store and find the teacher."""
        job = self.job
        store = HeatmapStore.open(job.store, mode="r+")
        teacher = load_teacher(job.teacher, own_device(job.device, worker.name), job.flip, job.threads)
        maker = ShardMaker(store, teacher, job.images, batch_size=job.batch_size, readers=job.threads)
        setattr(worker, MAKER, maker)

    def teardown(self, worker: Any) -> None:
        """Drop the shard in flight."""
        if hasattr(worker, MAKER):
            getattr(worker, MAKER).stop()


def own_device(device: str, worker_name: object) -> str:
    """`device`, or `cuda:N` where several GPUs are to be shared out among numbered workers."""
    if device not in ("auto", "cuda") or not isinstance(worker_name, int) or not Path("/dev/nvidia0").exists():
        return device
    import torch  # 3 s and 300 MB, which only those need who have a GPU

    gpus = torch.cuda.device_count()
    return f"cuda:{worker_name % gpus}" if gpus else device


def make_shard(shard: int) -> int | ValueError:
    """The task: make one shard; the number of its rows, or what is wrong with a photo or a heatmap every time."""
    maker: ShardMaker = getattr(get_worker(), MAKER)
    try:
        return maker.make(shard)
    except ValueError as error:
        return error


def make_on_cluster(job: BuildJob, shards: list[int], workers: int = 0, scheduler: str | None = None) -> Iterator[int]:
    """Make the shards on `workers` processes of this host or on a cluster; yields the rows of each as it is done.

    Raises OSError where the scheduler is lost, and what a teacher or a photo raised once its retries are used up.
    """
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            cpus = max(1, (os.cpu_count() or 1) // workers)
            job = replace(job, threads=job.threads or cpus)
            address: Any = stack.enter_context(local_cluster(workers))
        else:
            address = scheduler
        try:
            client = stack.enter_context(Client(address))
        except OSError as error:
            raise OSError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error
        client.register_plugin(TeacherOnWorker(job))
        build = uuid.uuid4().hex  # keys of this build alone: a scheduler remembers results of former ones
        futures = [client.submit(make_shard, s, key=f"shard-{s}-{build}", retries=RETRIES) for s in shards]
        try:
            for future in as_completed(futures):
                made = future.result()
                if isinstance(made, ValueError):
                    raise made
                yield made
        except (CancelledError, CommClosedError) as error:
            raise OSError("the Dask scheduler is gone; run the same command again to go on") from error
        except KilledWorker as error:
            raise OSError(f"{error}; out of memory? Run the same command again with fewer --workers") from error
        finally:
            with contextlib.suppress(CancelledError, OSError):  # the scheduler may be gone
                client.cancel(futures)


def local_cluster(workers: int) -> LocalCluster:
    """Worker processes on this host, spawned; bound to the loopback, because Dask runs code for whoever connects."""
    # Dask has glibc hand memory back at once, so every batch is paged in anew: that alone tripled the CPU time
    keep_memory = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
    try:
        with dask.config.set(keep_memory):
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=SHARDS_AT_ONCE,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.ERROR,
                memory_limit=0,  # a worker holds two shards of codes and a few photos; Dask's limit would pause it
            )
    except RuntimeError as error:  # killed while they started, or no memory
        raise OSError(f"the worker processes did not start ({error}); run the same command again") from error
