"""A full disk, said in one line: which file, and what to do."""

import contextlib
import errno
import os
from collections.abc import Iterator
from io import RawIOBase

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def full_disk_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add the path of the file to the error of a full disk, which writing to an open file does not have."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def append_whole(file: RawIOBase, path: str | os.PathLike[str], data: bytes) -> None:
    """Write all of `data` to an unbuffered file; OSError with `path` where there is no room for it.

    A disk that is nearly full takes a part of it, and says so only at the next write.
    """
    rest = memoryview(data)
    with full_disk_named(path):
        while rest:
            rest = rest[file.write(rest) or 0 :]


@contextlib.contextmanager
def full_disk_explained(what_is_kept: str) -> Iterator[None]:
    """Add to the error of a full disk what to do about it. what_is_kept: by the same command, run again."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        advice = f"{os.strerror(error.errno)}: make room and run the same command again; {what_is_kept}"
        raise OSError(error.errno, advice, error.filename) from error
