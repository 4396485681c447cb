"""A Dask cluster as people run one: `dask scheduler` and `dask worker`, each a process on the loopback."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.samples.server_process import start, start_on_free_ports, stop

LOOPBACK = "127.0.0.1"
#: both programs open an HTTP server, on every interface where no address is stated
ON_LOOPBACK = ("--host", LOOPBACK, "--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0")
#: as a shell would find it
DASK = Path(sys.executable).with_name("dask")


class DaskCluster:
    """A running scheduler, and workers that a test adds."""

    def __init__(self, folder: Path, protocol: str = "tcp", options: Sequence[str | Path] = ()) -> None:
        """Start the scheduler. folder: of logs. options: of scheduler and workers, for TLS."""
        self.folder, self.protocol, self.options = folder, protocol, options
        self.workers: list[subprocess.Popen[bytes]] = []
        start_on_free_ports(self._start_scheduler, 1)

    def _start_scheduler(self, ports: list[int]) -> None:
        self.address = f"{self.protocol}://{LOOPBACK}:{ports[0]}"
        of_tls = ["--protocol", self.protocol, *self.options]
        command = [DASK, "scheduler", *ON_LOOPBACK, "--port", str(ports[0]), *of_tls]
        self.scheduler = start(command, self.folder / "scheduler.log", lambda: listens(ports[0]))

    def add_worker(
        self,
        *,
        nanny: bool = False,
        program: Sequence[str | Path] = (DASK,),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a worker with two threads and return its process; nothing is waited for.

        nanny: with a process that starts it again when it dies. env: more variables, empty ones are taken away.
        """
        environment = {name: value for name, value in (os.environ | (env or {})).items() if value}
        command = [*program, "worker", self.address, *ON_LOOPBACK, "--nthreads", "2", *self.options]
        command += ["--nanny" if nanny else "--no-nanny", "--local-directory", self.folder]
        worker = start(
            command,
            self.folder / f"worker{len(self.workers)}.log",
            lambda: True,
            env=environment,
            cwd=cwd or self.folder,
        )
        self.workers.append(worker)
        return worker

    def remove_workers(self) -> None:
        """Kill every worker."""
        while self.workers:
            stop(self.workers.pop())


@contextlib.contextmanager
def dask_cluster(folder: Path, protocol: str = "tcp", options: Sequence[str | Path] = ()) -> Iterator[DaskCluster]:
    """Run a cluster without workers during the block."""
    cluster = DaskCluster(folder, protocol, options)
    try:
        yield cluster
    finally:
        cluster.remove_workers()
        stop(cluster.scheduler)


def listens(port: int) -> bool:
    """Return whether a server accepts connections on a port of the loopback."""
    with socket.socket() as connection:
        return connection.connect_ex((LOOPBACK, port)) == 0
