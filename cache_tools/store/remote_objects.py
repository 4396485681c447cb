"""Objects on storage of zarr's and fsspec's, such as s3://, memory:// and http://: again after a failure that passes.

Libraries of storage raise errors of their own. Here each becomes an OSError of one line with url and key.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from zarr.abc.store import RangeByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

from cache_tools.store import http_reading
from cache_tools.store.remote_errors import explain, says_exists

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
#: before each further try; up to half of it is added at random, so that many workers don't come back together
WAIT_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
WEB = ("http", "https")


class RemoteObjects:
    """The objects below one url of fsspec's."""

    def __init__(self, url: str, *, write: bool) -> None:
        """Prepare the connection; ValueError where it needs a package that is missing."""
        self.url = url
        self._is_web = url.partition("://")[0] in WEB
        # whether there was an answer, be it that an object is missing
        self._answered = False
        try:
            self._store = FsspecStore.from_url(url, _storage_options(url), read_only=not write)
        except ImportError as error:
            raise ValueError(f"{url} needs another package ({error}): pip install 'kdcache[cloud]'") from error
        if hasattr(self._store.fs, "retries"):
            # of s3fs, which would multiply our tries by its own
            self._store.fs.retries = 1

    def get(self, key: str, limit: int) -> bytes | None:
        """Return an object's bytes, or None where there is no such object; of a longer one, `limit` + 1 bytes."""
        return self._again(key, lambda: self._read(key, None, limit + 1))

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return `length` bytes from `start` for each (start, length); None where there is no such object."""
        parts = [part for part in self._again(key, lambda: self._ranges(key, ranges)) if part is not None]
        return parts if len(parts) == len(ranges) else None

    def set(self, key: str, data: bytes) -> None:
        """Write an object whole or not at all."""
        self._again(key, lambda: self._store.set(key, cpu.Buffer.from_bytes(data)))

    def create(self, key: str, data: bytes) -> None:
        """Write an object where there is none; FileExistsError where there is one, as far as the storage can tell."""
        try:
            self._again(key, lambda: self._create(key, data))
        except FileExistsError:
            # of a try that failed after it had written
            if self.get(key, len(data)) != data:
                raise FileExistsError(f"{self.url}/{key} exists already") from None
        except (TypeError, NotImplementedError):
            # a storage of fsspec that knows no mode
            self.set(key, data)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        self._again(key, lambda: self._store.delete(key))

    async def _create(self, key: str, data: bytes) -> None:
        try:
            await self._store.fs._pipe_file(f"{self._store.path}/{key}", data, mode="create")
        except OSError as error:
            if says_exists(error):
                raise FileExistsError(f"{self.url}/{key} exists already") from error
            raise

    async def _ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes | None]:
        return await asyncio.gather(*(self._read(key, start, length) for start, length in ranges))

    async def _read(self, key: str, start: int | None, length: int) -> bytes | None:
        """Return at most `length` bytes of an object, from `start` on; None where there is no such object."""
        if length <= 0:
            return b""
        if self._is_web:
            return await http_reading.read(self._store.fs, f"{self._store.path}/{key}", start, length)
        # without a range, s3fs would ask for the length first
        first = start or 0
        part = RangeByteRequest(first, first + length)
        buffer = await self._store.get(key, default_buffer_prototype(), part)
        return None if buffer is None else buffer.to_bytes()[:length]

    def _again(self, key: str, start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of a call, which is repeated after a failure that passes.

        Raises OSError naming url and key after the last try, and at once after a failure that stays; ValueError for
        what is no object of a store, and for settings that no storage has.
        """
        for seconds in (*WAIT_SECONDS, None):
            try:
                result = sync(start())
            except (FileExistsError, TypeError, NotImplementedError):
                raise
            except http_reading.WebPage as page:
                raise ValueError(f"{self.url}/{key} is damaged: {page}") from None
            except ValueError as error:
                # of settings, such as an address of the server without http://
                raise ValueError(f"{self.url}: {' '.join(str(error).split())}") from error
            except Exception as error:
                problem, passes = explain(error, answered=self._answered)
                if not passes or seconds is None:
                    tries = f", after {len(WAIT_SECONDS) + 1} tries" if passes else ""
                    raise OSError(f"{self.url}/{key}: {problem}{tries}") from error
                logger.debug("%s/%s: %s; again in %.1f s", self.url, key, problem, seconds)
                time.sleep(seconds * random.uniform(1, 1.5))
            else:
                self._answered = True
                return result
        raise AssertionError("the last try returns or raises")


def _storage_options(url: str) -> dict[str, Any]:
    """Return what is set of a storage beside the user's own configuration; ImportError where a package is missing.

    How often and for how long is tried is said in one place, `WAIT_SECONDS`, unless the user says it to S3's tools.
    """
    from fsspec.config import conf

    scheme = url.partition("://")[0]
    configured = conf.get(scheme, {})
    if scheme in WEB:
        return {"client_kwargs": {**http_reading.client_options(), **configured.get("client_kwargs", {})}}
    if scheme in ("s3", "s3a") and not {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"} & os.environ.keys():
        once = {"mode": "standard", "total_max_attempts": 1}
        return {"config_kwargs": {"retries": once, **configured.get("config_kwargs", {})}}
    return {}
