"""The same shards on Dask: worker processes of this host, or a cluster that is running already.

A worker loads the teacher once and opens the store itself, so a task is no more than a shard's number. Tasks may run
twice, and workers may die: writing a shard is idempotent, and only the ledger says what is done.
"""

import contextlib
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.comm import CommClosedError

from cache_tools.prefetch import usable_cpus
from cache_tools.store.writer import HeatmapStore
from pipeline.building.job import SHARDS_AT_ONCE, BuildJob
from pipeline.building.shard_maker import ShardMaker
from pipeline.teachers.load import load_network
from pipeline.teachers.names import absolute_reference

RETRIES = 3  # of a shard, when its worker died or raised
QUIET = {  # what Dask does for graphs of many small tasks costs more than it tells here
    "distributed.worker.profile.enabled": False,  # would look at every thread a hundred times a second
    "distributed.admin.tick.interval": "500ms",  # fifty times a second by default
    # glibc would hand memory back at once, so every batch were paged in anew: that alone tripled the CPU time
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}


class TeacherOnWorker(WorkerPlugin):
    """Loads the job's teacher once on each worker, for one build: several may share a cluster."""

    def __init__(self, job: BuildJob, build: str, places: dict[str, int]) -> None:
        """build: an id of this build alone. places: number of each worker, by address, among those of its host."""
        self.job, self.places = job, places
        self.name = maker_of(build)  # by which Dask tells plugins apart, and `make_shard` finds the maker

    def setup(self, worker: Any) -> None:
        """Open the store and find the teacher."""
        job = self.job
        place = worker.name if isinstance(worker.name, int) else self.places.get(worker.address, 0)
        threads = job.threads or worker.state.nthreads
        store = HeatmapStore.open(job.store, mode="r+")
        # the process that started the build has loaded the same teacher and shown its warnings
        logging.getLogger("pipeline.teachers").setLevel(logging.ERROR)
        teacher = load_network(job.teacher, own_device(job.device, place), job.flip, threads)
        maker = ShardMaker(store, teacher, job.images, batch_size=job.batch_size, readers=threads)
        setattr(worker, self.name, maker)

    def teardown(self, worker: Any) -> None:
        """Drop the shards in flight, and the teacher."""
        maker: ShardMaker | None = getattr(worker, self.name, None)
        if maker is not None:
            maker.stop()
            delattr(worker, self.name)


def maker_of(build: str) -> str:
    """The name under which a worker keeps its ShardMaker."""
    return f"kdcache_{build}"


def own_device(device: str, place: int) -> str:
    """`device`, or `cuda:N` where several GPUs are to be shared out among the workers of a host, by their place.

    A worker that joins a running build has place 0: start those with a CUDA_VISIBLE_DEVICES of their own.
    """
    if device not in ("auto", "cuda") or not Path("/dev/nvidia0").exists():
        return device
    import torch  # 3 s and 300 MB, which only those need who have a GPU

    gpus = torch.cuda.device_count()
    return f"cuda:{place % gpus}" if gpus else device


def places_of(addresses: Iterable[str]) -> dict[str, int]:
    """Number of each worker, by its address, among those of its host: 0, 1, and so on."""
    seen: dict[str, int] = {}
    places = {}
    for address in sorted(addresses):
        host = address.rpartition(":")[0]
        places[address] = seen[host] = seen.get(host, -1) + 1
    return places


def make_shard(shard: int, build: str) -> int | ValueError:
    """The task: make one shard; the number of its rows, or what is wrong with a photo or a heatmap every time."""
    maker: ShardMaker = getattr(get_worker(), maker_of(build))
    try:
        return maker.make(shard)
    except ValueError as error:
        return error


def make_on_cluster(job: BuildJob, shards: list[int], workers: int = 0, scheduler: str | None = None) -> Iterator[int]:
    """Make the shards on `workers` processes of this host or on a cluster; yields the rows of each as it is done.

    Raises OSError where the scheduler is lost, and what a teacher or a photo raised once its retries are used up.
    """
    build = uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            job = replace(job, threads=job.threads or max(1, usable_cpus() // workers))
            client = stack.enter_context(Client(stack.enter_context(local_cluster(workers))))
        else:
            client = stack.enter_context(connect(scheduler))
        places = places_of(client.run(os.getpid))
        client.register_plugin(TeacherOnWorker(with_absolute_paths(job), build, places))
        futures = [client.submit(make_shard, s, build, key=f"shard-{s}-{build}", retries=RETRIES) for s in shards]
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
                if scheduler is not None and client.status == "running":
                    client.unregister_worker_plugin(maker_of(build))


def connect(scheduler: str) -> Client:
    """A client of a cluster that is running already."""
    try:
        return Client(scheduler)
    except OSError as error:
        raise OSError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error


def with_absolute_paths(job: BuildJob) -> BuildJob:
    """The same job for workers that were started in other folders."""
    store = job.store if "://" in job.store else os.path.abspath(job.store)
    return replace(job, store=store, images=job.images.absolute(), teacher=absolute_reference(job.teacher))


def local_cluster(workers: int) -> LocalCluster:
    """Worker processes on this host, spawned; bound to the loopback, because Dask runs code for whoever connects."""
    try:
        with dask.config.set(QUIET):
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
