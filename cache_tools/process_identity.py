"""What tells a running process from one that has ended, and from another one that has got its number since."""

import functools
import os
import socket
from pathlib import Path


@functools.cache
def this_machine() -> str:
    """Return what two processes share whose process ids are of one list: the boot of a machine, and a container."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return socket.gethostname()


def start_of(pid: int) -> int | None:
    """Return when a process started, in ticks since the boot; None where there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def is_running(pid: object, started: object) -> bool:
    """Return whether the process of this number on this machine is the one that started then."""
    return isinstance(pid, int) and started is not None and start_of(pid) == started
