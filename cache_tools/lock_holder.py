"""What a lock says of its holder, and how others see whether the holder still runs."""

import contextlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from cache_tools.process_identity import is_running, start_of, this_machine

logger = logging.getLogger(__name__)

RECORD_BYTES = 512
BEAT_SECONDS = 10.0
# of the holder, after which it counts as ended: several beats, because a busy disk may delay one
SILENCE_SECONDS = 45.0
LOOK_SECONDS = 0.5
#: variables in which queues tell a job its id
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")


def new_record() -> dict[str, Any]:
    """Return what names this process as a holder."""
    record = {
        "host": socket.gethostname(),
        "machine": this_machine(),
        "pid": os.getpid(),
        "started": start_of(os.getpid()),
        "token": secrets.token_hex(8),
    }
    job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), None)
    return record if job is None else record | {"job": job[:80]}


def record_bytes(record: dict[str, Any]) -> bytes:
    """Return the lock's content: the holder and the time, which tells that it still runs."""
    return json.dumps({**record, "beat": time.time()}).encode().ljust(RECORD_BYTES)


def holder_of(data: bytes) -> dict[str, Any]:
    """Return what a lock says of its holder; nothing where it is empty or unreadable."""
    try:
        holder = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def in_use(where: str, use: str, holder: dict[str, Any]) -> BlockingIOError:
    """Return the error of a lock that is held. use: of what is locked, such as `being built`."""
    return BlockingIOError(
        f"{where} is {use} by another process ({_name(holder)}): wait for it or stop it, then run this again"
    )


def wait_for_silence(read: Callable[[], bytes], where: str, use: str) -> None:
    """Return when the holder of the lock that `read` returns has ended; BlockingIOError where it is running.

    Of a holder on this machine that is known at once. A lock that cannot be read, for instance because it is being
    written, is watched like that of another machine. where, use: as `in_use` has them.
    """
    first = read()
    if not first.strip(b"\0 "):
        return
    holder = holder_of(first)
    if holder.get("machine") == this_machine():
        if is_running(holder.get("pid"), holder.get("started")):
            raise in_use(where, use, holder)
        return
    logger.info("%s: waiting to see whether it is still %s (%s)", where, use, _name(holder))
    end = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        now = read()
        if not now:
            return
        if now != first:
            raise in_use(where, use, holder_of(now) or holder)


@contextlib.contextmanager
def beating(write: Callable[[], object]) -> Iterator[None]:
    """Call `write` every few seconds during the block, in a thread."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                write()
            except OSError as error:
                # the block itself reports a disk that is gone
                logger.debug("the lock could not be renewed: %s", error)

    thread = threading.Thread(target=beat, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _name(holder: dict[str, Any]) -> str:
    if not holder:
        return "its lock does not say which"
    host, pid, job = holder.get("host"), holder.get("pid"), holder.get("job")
    return f"{host!r:.80}, process {pid!r:.20}" + (f", job {job!r:.40}" if job is not None else "")
