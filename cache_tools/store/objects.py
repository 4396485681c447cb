"""The objects of a store: bytes by key, on a local disk or on any storage of zarr's, such as s3://, memory://, http://.

Nothing here lists a folder, so a plain web server is enough to read from.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from zarr.abc.store import RangeByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

from cache_tools import files

Url = str | os.PathLike[str]
REPAIR = "run `kdcache verify --forget-damaged` on the store, then the same `kdcache build` again"


class Objects:
    """The objects below one url: a path, file://, or any address that fsspec knows."""

    def __init__(self, url: Url, *, write: bool = False) -> None:
        """Connect to a url; ValueError where it cannot be written to, or where it needs a package that is missing."""
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
        """Return an object's bytes, or None where there is no such object."""
        if self.folder is not None:
            try:
                return (self.folder / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        buffer = sync(self._remote.get(key, default_buffer_prototype()))
        return None if buffer is None else buffer.to_bytes()

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return `length` bytes from `start` for each (start, length), fewer at the object's end.

        Returns None where there is no such object.
        """
        if self.folder is not None:
            try:
                # pathlib would take as long as the read
                file = os.open(f"{self.url}/{key}", os.O_RDONLY)
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
            if buffer is None:
                return None
            data = buffer.to_bytes()
            # a server that does not support ranges sends the whole object
            return data[start : start + length] if len(data) > length else data

        return await asyncio.gather(*(one(*each) for each in ranges))

    def set(self, key: str, data: bytes) -> None:
        """Write an object whole or not at all.

        A local file is on the disk when this returns: a power cut cannot leave a ledger entry without its data.
        """
        if self.folder is None:
            sync(self._remote.set(key, cpu.Buffer.from_bytes(data)))
        else:
            files.write_bytes(self.folder / key, data)

    def create(self, key: str, data: bytes) -> None:
        """Write an object whole; FileExistsError where there is one.

        On a local disk, one of several processes succeeds. On other storage that holds where it can write under a
        condition, as S3 can; elsewhere two processes that come within the same moment may both succeed.
        """
        if self.folder is not None:
            files.create_bytes(self.folder / key, data)
            return
        if self.get(key) is not None:
            raise FileExistsError(f"{self.url}/{key} exists already")
        path = f"{self._remote.path}/{key}"
        try:
            sync(self._remote.fs._pipe_file(path, data, mode="create"))
        except FileExistsError:
            raise FileExistsError(f"{self.url}/{key} exists already") from None
        except (TypeError, NotImplementedError):
            # a storage of fsspec that knows no mode
            self.set(key, data)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        if self.folder is None:
            sync(self._remote.delete(key))
        else:
            (self.folder / key).unlink(missing_ok=True)

    def foreign_files(self, own_folders: Collection[str]) -> list[str]:
        """Return the names in the store's folder that are neither `own_folders` nor temporary files.

        Returns nothing for object stores, which are not listed.
        """
        if self.folder is None or not self.folder.is_dir():
            return []
        return sorted(
            path.name for path in self.folder.iterdir() if path.name not in own_folders and not files.is_temporary(path)
        )

    def remove_temporaries(self) -> None:
        """Remove the files that killed writers left; object stores have none."""
        if self.folder is not None:
            files.remove_temporaries(self.folder)
