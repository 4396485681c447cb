"""Write files whole or not at all: to a temporary name in the same folder, on the disk, then by rename.

    with replacing(path) as temporary:
        figure.savefig(temporary)

A reader never sees half a file, a killed writer leaves only a temporary file behind, and a power cut after the block
leaves either the old file or the new one.
"""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cache_tools.full_disk import full_disk_named

# Part of the name of every temporary file; the suffix stays last, because libraries choose a format by it.
PARTIAL = ".partial"
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
    """Return a new temporary path in the folder of `target`, which is made where it is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.stem}.{secrets.token_hex(4)}{PARTIAL}{target.suffix}")
