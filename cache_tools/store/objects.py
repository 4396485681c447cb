"""A store's objects: bytes by key, on a local disk or wherever zarr's own stores reach: s3://, memory://, http://.

Nothing here lists a folder, so a plain web server is enough to read from.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from zarr.abc.store import RangeByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

REPAIR = "run `kdcache verify --forget-damaged` on the store, then the same `kdcache build` again"
PARTIAL = ".partial"  # ending of a local file that is still being written


class Objects:
    """The objects below one url: a path, file://, or any address that fsspec knows."""

    def __init__(self, url: str | os.PathLike[str], *, write: bool = False) -> None:
        self.url = os.fspath(url).removeprefix("file://").rstrip("/") or "/"
        self.folder: Path | None = None
        if "://" not in self.url:
            self.folder = Path(self.url)
            return
        scheme = self.url.split("://")[0]
        if write and scheme in ("http", "https"):
            raise ValueError(f"{self.url} can only be read: build into a local folder or s3:// and copy it there")
        try:
            self._remote = FsspecStore.from_url(self.url, read_only=not write)
        except ImportError as error:
            raise ValueError(f"{self.url} needs another package ({error}): pip install 'kdcache[cloud]'") from error

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None where there is no such object."""
        if self.folder is not None:
            try:
                return (self.folder / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        buffer = sync(self._remote.get(key, default_buffer_prototype()))
        return None if buffer is None else buffer.to_bytes()

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """`length` bytes from `start` on for each (start, length), fewer at the end; None where there is no object."""
        if self.folder is not None:
            try:
                file = os.open(f"{self.url}/{key}", os.O_RDONLY)  # pathlib would take as long as the read
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                return [os.pread(file, length, start) for start, length in ranges]
            finally:
                os.close(file)
        parts = [part for part in sync(self._remote_ranges(key, ranges)) if part is not None]
        return parts if len(parts) == len(ranges) else None

    async def _remote_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes | None]:
        async def one(start: int, length: int) -> bytes | None:
            request = RangeByteRequest(start, start + length)
            buffer = await self._remote.get(key, default_buffer_prototype(), request)
            data = b"" if buffer is None else buffer.to_bytes()
            if len(data) > length:  # a server that doesn't know ranges sends all of it
                data = data[start : start + length]
            return None if buffer is None else data

        return await asyncio.gather(*(one(*each) for each in ranges))

    def set(self, key: str, data: bytes) -> None:
        """Write an object whole or not at all: locally to a temporary name first, then by rename.

        It is on the disk when this returns, so that a loss of power cannot leave a ledger entry without its data.
        """
        if self.folder is None:
            sync(self._remote.set(key, cpu.Buffer.from_bytes(data)))
            return
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        if self.folder is None:
            sync(self._remote.delete(key))
        else:
            (self.folder / key).unlink(missing_ok=True)

    def clear_partial(self) -> None:
        """Remove what killed writers left behind; object stores have no such thing."""
        if self.folder is not None:
            for path in self.folder.rglob(f".*{PARTIAL}"):
                path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put on the disk that a file has its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fingerprint(data: bytes) -> dict[str, Any]:
    """Length and sha256 of an object, as ledgers record it."""
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document with the sha256 of itself, so that a changed byte is noticed wherever it is."""
    return {**document, "sha256": _digest(document)}


def unseal(document: Any, where: str) -> dict[str, Any]:
    """The sealed document without its seal; ValueError naming `where` when the two disagree."""
    if not isinstance(document, dict) or "sha256" not in document:
        raise ValueError(f"{where} is damaged: expected a JSON object with its sha256")
    content = {k: v for k, v in document.items() if k != "sha256"}
    if document["sha256"] != _digest(content):
        raise ValueError(f"{where} is damaged: its content does not match its sha256")
    return content


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """A JSON document as stored: sorted, so that equal documents are equal bytes."""
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def from_bytes(data: bytes, where: str) -> Any:
    """The JSON value; ValueError naming `where` when it is none."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise ValueError(f"{where} is damaged: not JSON ({error})") from error


def _digest(document: Mapping[str, Any]) -> str:
    return sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
