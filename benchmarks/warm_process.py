"""Commands of kdcache in processes forked from one that has imported torch and timm: they begin in a moment.

Hundreds of kills take minutes then, where each start of Python would take seconds of imports. What runs is the command
line's own `main`, in a process of its own, which signals reach as they reach any other.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence

# of semaphores that killed processes held, which Python removes in the end
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pipeline.cli", "pipeline.building.build", "student.training.loop", "timm"])


class WarmProcess:
    """A command that was started, with the part of subprocess.Popen's methods that the benchmarks need."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start `kdcache` with these arguments; its output is dropped."""
        self._process = CONTEXT.Process(target=_run, args=(list(arguments),))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended; subprocess.TimeoutExpired where it still runs after `timeout` s."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("kdcache", timeout or 0)
        return self._process.exitcode


def run_command(arguments: Sequence[str]) -> None:
    """Run a command to its end; subprocess.CalledProcessError where its exit code is not 0."""
    if code := WarmProcess(arguments).wait():
        raise subprocess.CalledProcessError(code, ["kdcache", *arguments])


def _run(arguments: list[str]) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.argv = ["kdcache", *arguments]
    from pipeline.cli import main

    main()
