"""Make shards on Dask: on worker processes of this host, or on a cluster that is running already.

A worker loads the teacher once and opens the store itself, therefore a task is only a shard's number. Tasks may run
twice and workers may die: writing a shard is idempotent, and the ledger says which shards are done.
"""

import contextlib
import logging
import os
import pickle
import time
import uuid
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import cloudpickle
from distributed import Client, KilledWorker, as_completed
from distributed.comm.core import CommClosedError

from cache_tools.prefetch import usable_cpus
from pipeline.building import on_worker
from pipeline.building.job import BuildJob
from pipeline.building.local_cluster import local_cluster
from pipeline.building.on_worker import MakerOnWorker, lack_of, shard_task
from pipeline.building.stop_request import LOOK_SECONDS, StopRequest
from pipeline.teachers.names import absolute_reference

logger = logging.getLogger(__name__)

#: of a shard, when its worker died or raised
RETRIES = 3
#: without a finished shard, until the workers are counted
QUIET_SECONDS = 5.0
#: between two messages that no worker is there
MESSAGE_SECONDS = 60.0

# workers may lack kdcache
cloudpickle.register_pickle_by_value(on_worker)


def make_on_cluster(
    job: BuildJob, shards: list[int], stop: StopRequest, workers: int = 0, scheduler: str | None = None
) -> Generator[int, None, None]:
    """Make the shards on `workers` processes of this host or on a cluster; yield the rows of each when it is done.

    Raises ValueError, with the worker's name, where one lacks kdcache, the photos or the store, or has another teacher
    than the store; OSError where the scheduler is lost; and what a teacher or a photo raised once its retries are used
    up.
    """
    name = f"kdcache_{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            job = replace(job, threads=job.threads or max(1, usable_cpus() // workers))
            logger.info("starting %d worker processes", workers)
            cluster = stack.enter_context(local_cluster(workers))
            client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]  # as below
            awaited = AwaitedWorkers(client, f"of {workers})")
            fewer = "fewer --workers"
        else:
            client = stack.enter_context(connect(scheduler))
            awaited = AwaitedWorkers(client, f"of at least 1): start them with `dask worker {scheduler}`")
            fewer = "fewer workers a host"
        futures: list[Any] = []
        try:
            while awaited.missing():
                time.sleep(LOOK_SECONDS)
                stop.check()
            prepare_workers(client, job, name)
            make_shard = shard_task(name)
            for shard in shards:
                futures.append(client.submit(make_shard, shard, key=f"shard-{shard}-{name}", retries=RETRIES))
            yield from results(futures, awaited, stop)
        except (CancelledError, CommClosedError) as error:
            raise OSError("the Dask scheduler is gone; run the same command again to go on") from error
        except KilledWorker as error:
            raise OSError(f"{error}; out of memory? Run the same command again with {fewer}") from error
        finally:
            # the scheduler may be gone
            with contextlib.suppress(CancelledError, OSError):
                client.cancel(futures)
                if scheduler is not None and client.status == "running":
                    client.unregister_worker_plugin(name)


class AwaitedWorkers:
    """The workers of a cluster: says that none is there, where nothing would be shown otherwise."""

    def __init__(self, client: Client, expected: str) -> None:
        """Watch the workers of a client's cluster. expected: end of the message, from the bracket on."""
        self.client, self.expected = client, expected
        self._next_message = 0.0

    def missing(self) -> bool:
        """Return whether no worker is there, and log it, at most once in MESSAGE_SECONDS."""
        if self.client.nthreads():  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
            self._next_message = 0.0
            return False
        if time.monotonic() >= self._next_message:
            logger.info("waiting for workers (0 %s", self.expected)
            self._next_message = time.monotonic() + MESSAGE_SECONDS
        return True


def prepare_workers(client: Client, job: BuildJob, name: str) -> None:
    """Let every worker open the store and the teacher, those that join later too; ValueError where one cannot."""
    numbers = numbers_on_host(client.run(os.getpid))
    client.register_plugin(MakerOnWorker(pickle.dumps(with_absolute_paths(job)), name, numbers))
    answers = client.run(lack_of, name, on_error="ignore")
    lacking = [answer for answer in answers.values() if answer is not None]
    if lacking:
        others = f" ({len(lacking)} of {len(answers)} workers lack something)" if len(lacking) > 1 else ""
        raise ValueError(f"{lacking[0]}{others}")


def results(futures: list[Any], awaited: AwaitedWorkers, stop: StopRequest) -> Generator[int, None, None]:
    """Yield the number of rows of each shard when it is done."""
    finished: Any = as_completed(futures)  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
    quiet_since = time.monotonic()
    while not finished.is_empty():
        batch = finished.next_batch(block=False)
        stop.check()
        if batch:
            quiet_since = time.monotonic()
        else:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() - quiet_since > QUIET_SECONDS:
                awaited.missing()
                quiet_since = time.monotonic()
        for future in batch:
            made = future.result()
            if isinstance(made, ValueError):
                raise made
            yield made


def connect(scheduler: str) -> Client:
    """Return a client of a cluster that is running already; OSError where none answers.

    TLS is as Dask's configuration says (`distributed.comm.tls`).
    """
    try:
        return Client(scheduler)  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
    except (OSError, TypeError) as error:
        # TypeError: tls:// without a certificate
        raise OSError(
            f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`; where it uses TLS, Dask's "
            f"configuration must name certificate and key ({error})"
        ) from error


def numbers_on_host(addresses: Iterable[str]) -> dict[str, int]:
    """Return the number of each worker, by its address, among those of its host: 0, 1, and on."""
    last: dict[str, int] = {}
    numbers = {}
    for address in sorted(addresses):
        host = address.rpartition(":")[0]
        numbers[address] = last[host] = last.get(host, -1) + 1
    return numbers


def with_absolute_paths(job: BuildJob) -> BuildJob:
    """Return the same job for workers that were started in other folders."""
    store = job.store if "://" in job.store else os.path.abspath(job.store)
    return replace(job, store=store, images=job.images.absolute(), teacher=absolute_reference(job.teacher))
