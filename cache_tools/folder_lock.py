"""One builder at a time: a lock in the store that names its holder, and that the holder's end frees.

    with build_lock("store.zarr"):
        ...

On a local disk and on network file systems with locks the system frees it when the process ends. Elsewhere, and on
object stores, its holder rewrites it every few seconds; whoever finds a lock of another machine waits to see whether it
changes. Two builders that look at the same object store within the same moment may both go on: each of them creates
the same root or is refused, and entries of another root are never read.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cache_tools.store.objects import Objects, Url

logger = logging.getLogger(__name__)

LOCK = ".build-lock"
RECORD_BYTES = 512
BEAT_SECONDS = 10.0
# of the holder, after which it counts as ended: several beats, because a busy disk may delay one
SILENCE_SECONDS = 45.0
LOOK_SECONDS = 0.5
# Seconds in which other writers of an object store are seen that took the same lock.
SETTLING_SECONDS = 1.0
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def build_lock(url: Url) -> Iterator[None]:
    """Hold the lock of the store at `url` during the block; BlockingIOError where a living builder holds it."""
    objects = Objects(url, write=True)
    with _local_lock(objects.folder) if objects.folder is not None else _remote_lock(objects):
        yield


@contextlib.contextmanager
def _local_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    path, record = folder / LOCK, _record()
    file = _locked_file(path)
    try:
        # a lock of the system may not reach from machine to machine
        _wait_for_silence(lambda: os.pread(file, RECORD_BYTES, 0), str(folder))

        def write() -> None:
            os.pwrite(file, _to_bytes(record), 0)

        write()
        try:
            with _beating(write):
                yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
        # a folder in which nothing was built
        with contextlib.suppress(OSError):
            folder.rmdir()


def _locked_file(path: Path) -> int:
    """Return the open lock file, locked for this process; BlockingIOError where another process holds it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                holder = _holder(os.pread(file, RECORD_BYTES, 0))
                os.close(file)
                raise _in_use(str(path.parent), holder) from None
            # a disk without locks: what the file says of its holder must do
            if error.errno not in WITHOUT_LOCKS:
                os.close(file)
                raise
        # its last holder may have removed it between our two calls
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)


@contextlib.contextmanager
def _remote_lock(objects: Objects) -> Iterator[None]:
    record = _record()
    try:
        objects.create(LOCK, _to_bytes(record))
    except FileExistsError:
        _wait_for_silence(lambda: objects.get(LOCK) or b"", objects.url)
        objects.set(LOCK, _to_bytes(record))
        time.sleep(SETTLING_SECONDS)
    holder = _holder(objects.get(LOCK) or b"")
    if holder.get("token") != record["token"]:
        raise _in_use(objects.url, holder)
    try:
        with _beating(lambda: objects.set(LOCK, _to_bytes(record))):
            yield
    finally:
        # the storage may be gone, and why is in the block's own error
        with contextlib.suppress(OSError):
            if _holder(objects.get(LOCK) or b"").get("token") == record["token"]:
                objects.delete(LOCK)


def _wait_for_silence(read: Callable[[], bytes], where: str) -> None:
    """Return when the holder of the lock that `read` returns has ended; BlockingIOError where it is running.

    Of a holder on this machine that is known at once. A lock that cannot be read, for instance because it is being
    written, is watched like that of another machine.
    """
    first = read()
    if not first.strip(b"\0 "):
        return
    holder = _holder(first)
    if holder.get("machine") == _machine():
        if _is_running(holder):
            raise _in_use(where, holder)
        return
    logger.info("%s: waiting to see whether the build on %s still runs", where, _name(holder))
    end = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        now = read()
        if not now:
            return
        if now != first:
            raise _in_use(where, _holder(now) or holder)


@contextlib.contextmanager
def _beating(write: Callable[[], object]) -> Iterator[None]:
    """Call `write` every few seconds during the block, in a thread."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                write()
            except OSError as error:
                # the build itself reports a disk that is gone
                logger.debug("the lock could not be renewed: %s", error)

    thread = threading.Thread(target=beat, name="build-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _record() -> dict[str, Any]:
    """Return what names this process as a holder."""
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
        "token": secrets.token_hex(8),
    }


def _to_bytes(record: dict[str, Any]) -> bytes:
    """Return the lock's content: the holder and the time, which tells that it still runs."""
    return json.dumps({**record, "beat": time.time()}).encode().ljust(RECORD_BYTES)


def _machine() -> str:
    """Return what two processes share whose process ids are of one list: the boot of a machine, and a container."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return socket.gethostname()


def _start_of(pid: int) -> int | None:
    """Return when a process started, in ticks since the boot; None where there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _is_running(holder: dict[str, Any]) -> bool:
    """Return whether a holder on this machine runs: its id may have gone to another process."""
    pid = holder.get("pid")
    return isinstance(pid, int) and holder.get("started") is not None and _start_of(pid) == holder["started"]


def _holder(data: bytes) -> dict[str, Any]:
    """Return what a lock says of its holder; nothing where it is empty or unreadable."""
    try:
        holder = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _name(holder: dict[str, Any]) -> str:
    host, pid = holder.get("host"), holder.get("pid")
    return f"{host!r:.80}, process {pid!r:.20}" if holder else "its lock does not say which"


def _in_use(where: str, holder: dict[str, Any]) -> BlockingIOError:
    return BlockingIOError(
        f"{where} is being built by another process ({_name(holder)}): wait for it or stop it, then run this again"
    )
