"""The objects of a store: bytes by key, on a local disk or on any storage of zarr's, such as s3://, memory://, http://.

Nothing here lists a folder, so a plain web server is enough to read from.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from cache_tools import files
from cache_tools.local_path import is_url
from cache_tools.store.remote_objects import RemoteObjects
from cache_tools.store.sealed_json import fingerprint

#: of an object of JSON: parsed, it takes many times its length
LARGEST_JSON = 2**25
Url = str | os.PathLike[str]
REPAIR = "run `kdcache verify --forget-damaged` on the store, then the same `kdcache build` again"


class Objects:
    """The objects below one url: a path, file://, or any address that fsspec knows."""

    def __init__(self, url: Url, *, write: bool = False) -> None:
        """Connect to a url; ValueError where it cannot be written to or is none, or needs a missing package."""
        self.url = os.fspath(url).removeprefix("file://").rstrip("/") or "/"
        self.folder: Path | None = None
        # keys of files that were looked at: regular, and inside the folder
        self._own_files: set[str] = set()
        if "://" not in self.url:
            if is_url(self.url) and not os.path.exists(self.url.partition("/")[0]):
                raise ValueError(
                    f"{self.url} is a url that has lost a slash, as pathlib does: give it as text, with //"
                )
            self.folder = Path(self.url)
            return
        scheme = self.url.split("://")[0]
        if write and scheme in ("http", "https"):
            raise ValueError(f"{self.url} can only be read: build into a local folder or s3:// and copy it there")
        self._remote = RemoteObjects(self.url, write=write)

    def get(self, key: str, limit: int = LARGEST_JSON) -> bytes | None:
        """Return an object's bytes, or None where there is no such object; ValueError where they are more than `limit`.

        A local file must be a regular one inside the store's folder: no device, no pipe, no link that leads out.
        """
        if self.folder is not None:
            return self._read_file(key, limit)
        data = self._remote.get(key, limit)
        if data is not None and len(data) > limit:
            raise ValueError(_too_long(f"{self.url}/{key}", f"more than {limit}", limit))
        return data

    def fingerprint(self, key: str, expected_bytes: int) -> dict[str, Any] | None:
        """Return length and sha256 of an object, or None where there is no such object.

        A local file is read in parts, and not at all where it is of another length than expected; of a remote object no
        more than one byte above the expected length is read.
        """
        if self.folder is None:
            data = self._remote.get(key, expected_bytes)
            return None if data is None else fingerprint(data)
        file = self._open_file(key)
        if file is None:
            return None
        with file:
            if (length := os.fstat(file.fileno()).st_size) != expected_bytes:
                return {"bytes": length}
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return {"bytes": file.tell(), "sha256": digest}

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return `length` bytes from `start` for each (start, length), fewer at the object's end.

        Returns None where there is no such object.
        """
        if self.folder is not None:
            path = self._own_file(key)
            if path is None:
                return None
            try:
                # pathlib would take as long as the read
                file = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                return None
            try:
                end = os.fstat(file).st_size
                # memory is reserved for what there is, not for what a damaged index asks for
                return [os.pread(file, max(min(length, end - start), 0), start) for start, length in ranges]
            finally:
                os.close(file)
        return self._remote.get_ranges(key, ranges)

    def _read_file(self, key: str, limit: int) -> bytes | None:
        file = self._open_file(key)
        if file is None:
            return None
        with file:
            # a sparse file can be longer than any memory
            if (length := os.fstat(file.fileno()).st_size) > limit:
                raise ValueError(_too_long(f"{self.url}/{key}", str(length), limit))
            data = file.read(limit + 1)
        if len(data) > limit:
            # it grew meanwhile
            raise ValueError(_too_long(f"{self.url}/{key}", f"more than {limit}", limit))
        return data

    def _open_file(self, key: str) -> BufferedReader | None:
        path = self._own_file(key)
        try:
            return None if path is None else open(path, "rb")
        except FileNotFoundError:
            return None

    def _own_file(self, key: str) -> str | None:
        """Return the path of a file, or None where there is none; ValueError where it is not the store's own.

        Each file is looked at once.
        """
        path = f"{self.url}/{key}"
        if key in self._own_files:
            return path
        try:
            is_regular = stat.S_ISREG(os.stat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not is_regular:
            raise ValueError(f"{path} is damaged: it is no regular file; remove it")
        self._check_inside(path)
        self._own_files.add(key)
        return path

    def _check_inside(self, path: str) -> None:
        """Raise ValueError where links lead from the store's folder to another."""
        folder = os.path.realpath(self.url)
        if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
            raise ValueError(f"{path} is damaged: a link leads out of the store; put the file itself there")

    def set(self, key: str, data: bytes) -> None:
        """Write an object whole or not at all.

        A local file is on the disk when this returns: a power cut cannot leave a ledger entry without its data.
        """
        if self.folder is None:
            self._remote.set(key, data)
        else:
            self._check_inside(os.path.dirname(f"{self.url}/{key}"))
            files.write_bytes(self.folder / key, data)

    def create(self, key: str, data: bytes) -> None:
        """Write an object whole; FileExistsError where there is one.

        On a local disk, one of several processes succeeds. On other storage that holds where it can write under a
        condition, as S3 can; elsewhere two processes that come within the same moment may both succeed.
        """
        if self.folder is not None:
            files.create_bytes(self.folder / key, data)
            return
        self._remote.create(key, data)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        if self.folder is None:
            self._remote.delete(key)
        else:
            self._check_inside(os.path.dirname(f"{self.url}/{key}"))
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


def _too_long(where: str, found: str, limit: int) -> str:
    return f"{where} is damaged: {found} bytes: expected at most {limit}"
