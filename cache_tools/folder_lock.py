"""One writer of a folder at a time: a lock that names its holder, and that the holder's end frees.

    with folder_lock(Path("runs/mine"), ".train-lock", "being trained"):
        ...

On a local disk and on network file systems with locks the system frees it when the process ends. Elsewhere its holder
rewrites it every few seconds; whoever finds a lock of another machine waits to see whether it changes.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from cache_tools.lock_holder import (
    RECORD_BYTES,
    beating,
    holder_of,
    in_use,
    new_record,
    record_bytes,
    wait_for_silence,
)

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def folder_lock(folder: Path, name: str, use: str) -> Iterator[None]:
    """Hold the lock `name` in `folder` during the block; BlockingIOError where a living process holds it.

    Makes the folder where it is missing, and removes it at the end if nothing was written into it. use: of the folder
    by whoever holds the lock, such as `being built`.
    """
    made = _make(folder)
    path, record = folder / name, new_record()
    try:
        file = _locked_file(path, use)
        try:
            # a lock of the system may not reach from machine to machine
            wait_for_silence(lambda: os.pread(file, RECORD_BYTES, 0), str(folder), use)

            def write() -> None:
                os.pwrite(file, record_bytes(record), 0)

            write()
            try:
                with beating(write):
                    yield
            finally:
                path.unlink(missing_ok=True)
        finally:
            os.close(file)
    finally:
        # folders in which nothing was written
        with contextlib.suppress(OSError):
            for one in made:
                one.rmdir()


def _make(folder: Path) -> list[Path]:
    """Make a folder; return it and those of its parents that were missing, the deepest first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing or [folder]


def _locked_file(path: Path, use: str) -> int:
    """Return the open lock file, locked for this process; BlockingIOError where another process holds it."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except FileNotFoundError:
            # its last holder removed the folder, in which it had written nothing
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                holder = holder_of(os.pread(file, RECORD_BYTES, 0))
                os.close(file)
                raise in_use(str(path.parent), use, holder) from None
            # a disk without locks: what the file says of its holder must do
            if error.errno not in WITHOUT_LOCKS:
                os.close(file)
                raise
        # its last holder may have removed it between our two calls
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)
