"""A server program that a test starts on the loopback: in a process group of its own, killed when the test is over."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

# A server that has not answered until then has failed, also on a machine that is very busy.
START_SECONDS = 120.0
# Of ports: another process may take one between our look and the server's start.
STARTS = 3


def program(name: str, advice: str) -> str:
    """Return the path of a program; skip the test where it is missing. advice: how to install it."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"the program {name} is missing: {advice}")
    return found


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(
    command: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it is ready; RuntimeError with the end of its log where it ends or never is."""
    # the server ends with the process of the test, also where that one is killed
    tied = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*tied, *map(str, command)],
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if is_ready():
            return process
        time.sleep(0.1)
    stop(process)
    lines = log.read_text(errors="replace").splitlines()[-10:]
    raise RuntimeError(f"{command[0]} did not get ready:\n" + "\n".join(lines))


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a server with everything that it started, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def start_on_free_ports(start_on: Callable[[list[int]], None], count: int) -> None:
    """Call `start_on` with `count` free ports, and with others where the server ends because one was taken since."""
    for _ in range(STARTS - 1):
        try:
            return start_on(free_ports(count))
        except RuntimeError:
            continue
    return start_on(free_ports(count))
