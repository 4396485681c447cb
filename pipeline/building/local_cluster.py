"""Start worker processes on this host to which only this build can connect.

Dask runs code for everyone who connects to it. The loopback is open to every user of a host, therefore scheduler and
workers speak TLS with a certificate and a key that are made for this build and exist in the memory of its processes;
whoever lacks them is refused. Dask's HTTP servers, which know neither, are not started.
"""

import logging
from typing import Any

# `Security.temporary` needs it and raises no ModuleNotFoundError, from which the command line names the extra
import cryptography  # noqa: F401
import dask
from distributed import Nanny, Scheduler, SpecCluster, Worker
from distributed.security import Security

from pipeline.building.job import SHARDS_AT_ONCE

DASK_SETTINGS = {
    # samples the stack of every thread a hundred times a second by default, which costs more than it shows here
    "distributed.worker.profile.enabled": False,
    # fifty times a second by default
    "distributed.admin.tick.interval": "500ms",
    # Keep glibc's default trim threshold: with Dask's, freed memory is returned at once and each batch faults it in
    # again, which tripled the CPU time.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
LOOPBACK = "127.0.0.1"


class SchedulerWithoutHttp(Scheduler):
    """A scheduler that opens no HTTP server: Dask opens one on every interface even where its dashboard is off."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Start none."""


class WorkerWithoutHttp(Worker):
    """A worker that opens no HTTP server."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Start none."""


def local_cluster(workers: int) -> SpecCluster:
    """Start that many worker processes, which end with this one; OSError where they don't start."""
    security = Security.temporary()  # type: ignore[no-untyped-call]  # Dask annotates few of its functions
    common = {
        "host": LOOPBACK,
        "protocol": "tls://",
        "security": security,
        "dashboard": False,
        # of a server that a later version of Dask may start by another method
        "dashboard_address": f"{LOOPBACK}:0",
    }
    worker = {
        "cls": Nanny,
        "options": {
            **common,
            "worker_class": WorkerWithoutHttp,
            "nthreads": SHARDS_AT_ONCE,
            "silence_logs": logging.ERROR,
            # A worker holds two shards of codes and a few photos; Dask would pause it at its limit.
            "memory_limit": 0,
        },
    }
    try:
        with dask.config.set(DASK_SETTINGS):
            return SpecCluster(  # type: ignore[no-untyped-call]  # as above
                scheduler={"cls": SchedulerWithoutHttp, "options": {**common, "port": 0}},
                workers=dict.fromkeys(range(workers), worker),
                security=security,
                silence_logs=logging.ERROR,
            )
    except RuntimeError as error:
        # killed while they started, or no memory
        raise OSError(f"the worker processes did not start ({error}); run the same command again") from error
