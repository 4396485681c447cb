"""What a build runs on Dask's workers. This file is sent to them as code, because they may lack kdcache.

A worker that cannot import kdcache, see the photos or open the store then says which it is; otherwise Dask's workers
fail, and those that join later end, while they unpickle names of modules that they don't have. Therefore nothing but
Python and Dask is imported here outside of functions. The scheduler needs no kdcache.
"""

import importlib.util
import pickle
import socket
from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin, get_worker

PACKAGES = ("cache_tools", "student", "pipeline")


class MakerOnWorker(WorkerPlugin):
    """Loads a job's teacher once on each worker, for one build: several builds may share a cluster."""

    def __init__(self, job: bytes, name: str, numbers: dict[str, int]) -> None:
        """Describe the build.

        job: a pickled BuildJob and the name of a photo; numbers: of each worker, by address, among those of its host.
        """
        self.job, self.numbers = job, numbers
        # by this name Dask distinguishes plugins, and `shard_task` finds what is set up here
        self.name = name

    def setup(self, worker: Any) -> None:
        """Keep a ShardMaker on the worker, or the ValueError that says what the worker does not have."""
        number = worker.name if isinstance(worker.name, int) else self.numbers.get(worker.address, 0)
        maker: object
        try:
            from pipeline.building.worker_maker import open_maker

            job, photo = pickle.loads(self.job)
            maker = open_maker(job, photo, number, worker.state.nthreads)
        except ImportError as error:
            maker = lack(worker, f"cannot import kdcache: {explained(error)}")
        except ValueError as error:
            maker = lack(worker, str(error))
        setattr(worker, self.name, maker)

    def teardown(self, worker: Any) -> None:
        """Drop the shards in flight, and the teacher."""
        maker = worker.__dict__.pop(self.name, None)
        if maker is not None and not isinstance(maker, ValueError):
            maker.stop()


def lack(worker: Any, what: str) -> ValueError:
    """Return the error that names a worker and what it does not have."""
    return ValueError(f"the worker {worker.address} on {socket.gethostname()} {what}")


def explained(error: ImportError) -> str:
    """Return why kdcache is not imported: a package is missing, or a module of another project hides one of its own."""
    package = (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return f"{error}; install the same kdcache there as here"
    found = importlib.util.find_spec(package)
    if found is None:
        return "it is not installed there"
    where = found.origin or ", ".join(found.submodule_search_locations or ())
    return (
        f"its package {package} is {where}, without {error.name}: another project's (start the worker by "
        "`dask worker`, not by `python -m`, or in another folder), or another version of kdcache"
    )


def lack_of(name: str, dask_worker: Any) -> ValueError | None:
    """Return what a worker does not have that the build of this name needs; None where nothing is missing."""
    maker = getattr(dask_worker, name, None)
    return maker if isinstance(maker, ValueError) else None


def shard_task(name: str) -> Callable[[int, bytes], int | ValueError]:
    """Return the function that makes one shard of pickled ShardPersons on a worker; it returns the number of its rows.

    It returns, rather than raises, a ValueError, which a retry would meet again. It is made here because Dask's
    scheduler sends a function of a module on by its name.
    """

    def make_shard(shard: int, persons: bytes) -> int | ValueError:
        maker = getattr(get_worker(), name)
        if isinstance(maker, ValueError):
            return maker
        try:
            rows: int = maker.make(shard, pickle.loads(persons))
        except ValueError as error:
            return error
        return rows

    return make_shard
