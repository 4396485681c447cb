"""Make shards on Dask: on worker processes of this host, or on a cluster that is running already.

A worker loads the teacher once and opens the store itself, without the instance table: a task is a shard's number and
its persons, and few tasks wait for each worker, because all of them would be the whole table again. Tasks may run twice
and workers may die: writing a shard is idempotent, and the ledger says which shards are done.
"""

import contextlib
import logging
import os
import pickle
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import cloudpickle
from distributed import Client, KilledWorker, as_completed
from distributed.comm.core import CommClosedError

from cache_tools.prefetch import usable_cpus
from cache_tools.store.writer import HeatmapStore
from pipeline.building import on_worker
from pipeline.building.job import BuildJob
from pipeline.building.local_cluster import local_cluster
from pipeline.building.on_worker import MakerOnWorker, lack_of, shard_task
from pipeline.building.shard_maker import ShardPersons
from pipeline.building.stop_request import LOOK_SECONDS, StopRequest
from pipeline.teachers.names import absolute_reference

logger = logging.getLogger(__name__)

#: that are submitted for each thread of the workers: one is made while others are sent
SHARDS_A_THREAD = 3
#: of a shard, when its worker died or raised
RETRIES = 3
#: without a finished shard, until the workers are counted
QUIET_SECONDS = 5.0
#: for the answer of a worker that has made a shard
ANSWER_SECONDS = 5.0
#: between two messages that no worker is there
MESSAGE_SECONDS = 60.0

# workers may lack kdcache
cloudpickle.register_pickle_by_value(on_worker)


def make_on_cluster(
    job: BuildJob,
    store: HeatmapStore,
    shards: list[int],
    stop: StopRequest,
    workers: int = 0,
    scheduler: str | None = None,
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
        tasks: ShardTasks | None = None
        try:
            while awaited.missing():
                time.sleep(LOOK_SECONDS)
                stop.check()
            try:
                prepare_workers(client, job, store.instances.file_name[0], name)
            except CommClosedError as error:
                # raises the same again where it is the scheduler that is gone
                client.nthreads()
                raise OSError(
                    "a worker ended while it loaded the teacher; out of memory? Run the same command again with "
                    f"{fewer}"
                ) from error
            tasks = ShardTasks(client, store, shards, name)
            yield from results(tasks, awaited, stop)
        except (CancelledError, CommClosedError) as error:
            raise OSError("the Dask scheduler is gone; run the same command again to go on") from error
        except KilledWorker as error:
            raise OSError(f"{error}; out of memory? Run the same command again with {fewer}") from error
        finally:
            # the scheduler may be gone
            with contextlib.suppress(CancelledError, OSError):
                if tasks is not None:
                    client.cancel(list(tasks.running))
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


def prepare_workers(client: Client, job: BuildJob, photo: str, name: str) -> None:
    """Let every worker open the store and the teacher, those that join later too; ValueError where one cannot."""
    numbers = numbers_on_host(client.run(os.getpid))
    client.register_plugin(MakerOnWorker(pickle.dumps((with_absolute_paths(job), photo)), name, numbers))
    answers = client.run(lack_of, name, on_error="ignore")
    lacking = [answer for answer in answers.values() if answer is not None]
    if lacking:
        others = f" ({len(lacking)} of {len(answers)} workers lack something)" if len(lacking) > 1 else ""
        raise ValueError(f"{lacking[0]}{others}")


class ShardTasks:
    """The shards of a build as Dask's tasks, few at a time."""

    def __init__(self, client: Client, store: HeatmapStore, shards: list[int], name: str) -> None:
        """Plan the shards; name: of the build."""
        self.client, self.store, self.name = client, store, name
        self.make_shard, self.waiting = shard_task(name), deque(shards)
        #: futures, each of which keeps its persons in the scheduler's memory
        self.running: set[Any] = set()

    def submit(self) -> list[Any]:
        """Submit shards up to SHARDS_A_THREAD for each thread of the workers; return the new futures."""
        threads = sum(self.client.nthreads().values())  # type: ignore[no-untyped-call]  # Dask annotates few
        new = []
        while self.waiting and len(self.running) < SHARDS_A_THREAD * max(threads, 1):
            shard = self.waiting.popleft()
            persons, key = pickle.dumps(ShardPersons.of(self.store, shard)), f"shard-{shard}-{self.name}"
            new.append(self.client.submit(self.make_shard, shard, persons, key=key, retries=RETRIES))
            self.running.add(new[-1])
        return new

    def rows_made(self, future: Any) -> int | None:
        """Return the number of rows of a shard that is made, and forget it; raise what it ended with.

        None where the worker died before its answer was fetched: Dask makes the shard again, once it has a worker.
        """
        try:
            made = future.result(timeout=ANSWER_SECONDS)
        except TimeoutError:
            # of the shard itself, or of the wait
            if future.status == "error":
                raise
            return None
        if isinstance(made, ValueError):
            raise made
        self.running.remove(future)
        return int(made)


def results(tasks: ShardTasks, awaited: AwaitedWorkers, stop: StopRequest) -> Generator[int, None, None]:
    """Yield the number of rows of each shard when it is done."""
    finished: Any = as_completed(tasks.submit())  # type: ignore[no-untyped-call]  # Dask annotates few
    quiet_since = time.monotonic()
    answered: deque[Any] = deque()
    while answered or not finished.is_empty():
        answered.extend(finished.next_batch(block=False))
        stop.check()
        if not answered:
            time.sleep(LOOK_SECONDS)
        elif (made := tasks.rows_made(answered[0])) is not None:
            answered.popleft()
            finished.update(tasks.submit())
            quiet_since = time.monotonic()
            yield made
        else:
            answered.rotate(-1)
        if time.monotonic() - quiet_since > QUIET_SECONDS:
            awaited.missing()
            quiet_since = time.monotonic()


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
