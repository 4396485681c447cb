"""Write files whole or not at all: to a temporary name in the same folder, on the disk, then by rename.

    with replacing(path) as temporary:
        figure.savefig(temporary)

A reader never sees half a file, a killed writer leaves only a temporary file behind, which the next process that writes
into the folder removes, and a power cut after the block leaves either the old file or the new one.
"""

import errno
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cache_tools.full_disk import full_disk_named
from cache_tools.process_identity import is_running, start_of, this_machine

# Part of the name of every temporary file; the suffix stays last, because libraries choose a format by it.
PARTIAL = ".partial"
#: machine, number and start of the process that a temporary file belongs to, in its name
OWNED = re.compile(r"\.([0-9a-f]{8})-([0-9a-f]+)-([0-9a-f]+)-[0-9a-f]{8}\.partial")
#: bytes
LONGEST_STEM = 100
WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def replacing(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` at the end of the block, remove it after an error.

    Makes the folder where it is missing. The file and its folder are fsynced where `durable` is true.
    """
    target = Path(path)
    temporary = _temporary_beside(target)
    try:
        with full_disk_named(target):
            yield temporary
            if durable:
                sync(temporary)
            os.replace(temporary, target)
            if durable:
                sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file of bytes, whole or not at all.

    durable: False leaves the fsync to a `sync_tree` of the folder that holds the file, which many small files need:
    it takes a quarter of the time.
    """
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def create_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file of bytes whole, where there is none of that name; FileExistsError where there is one."""
    target = Path(path)
    temporary = _temporary_beside(target)
    try:
        with full_disk_named(target):
            temporary.write_bytes(data)
            sync(temporary)
        try:
            os.link(temporary, target)
        except OSError as error:
            # A disk without hard links: whoever creates files there at the same time needs a lock.
            if error.errno not in WITHOUT_LINKS:
                raise
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
            os.replace(temporary, target)
        sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], document: Any) -> None:
    """Write a document as indented JSON, whole or not at all; ValueError where it holds NaN or an infinity."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the name of a temporary file."""
    name = os.path.basename(path)
    return name.startswith(".") and PARTIAL in name


def remove_temporaries(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed writers left in a folder and in those below it."""
    for path in Path(folder).rglob(f".*{PARTIAL}*"):
        path.unlink(missing_ok=True)


def sync_tree(folder: str | os.PathLike[str]) -> None:
    """Call fsync on a folder and on each file and folder in it."""
    for path in Path(folder).rglob("*"):
        sync(path)
    sync(Path(folder))


def sync(path: Path) -> None:
    """Call fsync on a file, or on a folder so that a rename in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary_beside(target: Path) -> Path:
    """Return a new temporary path in the folder of `target`, which is made where it is missing.

    Its name says whose it is: what processes left there that were killed, as on a full disk, is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(target.parent.absolute())
    # of a long name a part: file systems take 255 bytes
    stem = target.stem.encode()[:LONGEST_STEM].decode(errors="ignore")
    return target.with_name(f".{stem}.{_owner(os.getpid())}{secrets.token_hex(4)}{PARTIAL}{target.suffix}")


@functools.lru_cache(maxsize=8)
def _owner(pid: int) -> str:
    """Return machine, number and start of a process, for names; nothing where the system does not tell its start."""
    started = start_of(pid)
    return "" if started is None else f"{_machine()}-{pid:x}-{started:x}-"


@functools.cache
def _machine() -> str:
    return hashlib.sha256(this_machine().encode()).hexdigest()[:8]


@functools.lru_cache(maxsize=1024)
def _remove_orphans(folder: Path) -> None:
    """Remove the temporary files in a folder whose processes, of this machine, have ended; once for each process."""
    # a folder that may not be listed, and a file that another process removes at the same time
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = OWNED.search(entry.name) if is_temporary(entry.name) else None
            if found and found[1] == _machine() and not is_running(int(found[2], 16), int(found[3], 16)):
                os.unlink(entry.path)
