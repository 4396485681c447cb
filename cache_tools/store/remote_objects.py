"""Objects on storage of zarr's and fsspec's, such as s3://, memory:// and http://: again after a failure that passes.

Libraries of storage raise errors of their own. Here each becomes an OSError of one line with url and key.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from zarr.abc.store import RangeByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
#: before each further try; up to half of it is added at random, so that many workers don't come back together
WAIT_SECONDS = (0.5, 1.0, 2.0, 4.0)
PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504, 509)
# Names of classes, because the libraries are not always installed.
PASSING = {
    "BrokenPipeError", "ClientConnectionResetError", "ClientOSError", "ClientPayloadError", "ConnectTimeoutError",
    "ConnectionAbortedError", "ConnectionClosedError", "ConnectionResetError", "FSTimeoutError", "HTTPClientError",
    "IncompleteReadError", "ReadTimeoutError", "ResponseStreamingError", "ServerDisconnectedError",
    "ServerTimeoutError", "TimeoutError",
}  # fmt: skip
NO_CONNECTION = {"ClientConnectorError", "EndpointConnectionError", "ConnectionRefusedError", "gaierror"}
NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "NoAuthTokenError", "ProfileNotFound",
}  # fmt: skip
WRONG_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "access key Id")


class RemoteObjects:
    """The objects below one url of fsspec's."""

    def __init__(self, url: str, *, write: bool) -> None:
        """Prepare the connection; ValueError where it needs a package that is missing."""
        self.url = url
        try:
            self._store = FsspecStore.from_url(url, read_only=not write)
        except ImportError as error:
            raise ValueError(f"{url} needs another package ({error}): pip install 'kdcache[cloud]'") from error

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is no such object."""
        buffer = self._again(key, lambda: self._store.get(key, default_buffer_prototype()))
        return None if buffer is None else buffer.to_bytes()

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return `length` bytes from `start` for each (start, length); None where there is no such object."""
        parts = [part for part in self._again(key, lambda: self._ranges(key, ranges)) if part is not None]
        return parts if len(parts) == len(ranges) else None

    def set(self, key: str, data: bytes) -> None:
        """Write an object whole or not at all."""
        self._again(key, lambda: self._store.set(key, cpu.Buffer.from_bytes(data)))

    def create(self, key: str, data: bytes) -> None:
        """Write an object where there is none; FileExistsError where there is one, as far as the storage can tell."""
        path = f"{self._store.path}/{key}"
        try:
            self._again(key, lambda: self._store.fs._pipe_file(path, data, mode="create"))
        except FileExistsError:
            # of a try that failed after it had written
            if self.get(key) != data:
                raise FileExistsError(f"{self.url}/{key} exists already") from None
        except (TypeError, NotImplementedError):
            # a storage of fsspec that knows no mode
            self.set(key, data)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        self._again(key, lambda: self._store.delete(key))

    async def _ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes | None]:
        async def one(start: int, length: int) -> bytes | None:
            request = RangeByteRequest(start, start + length)
            buffer = await self._store.get(key, default_buffer_prototype(), request)
            if buffer is None:
                return None
            data = buffer.to_bytes()
            # a server that does not support ranges sends the whole object
            return data[start : start + length] if len(data) > length else data

        return await asyncio.gather(*(one(*each) for each in ranges))

    def _again(self, key: str, start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of a call, which is repeated after a failure that passes.

        Raises OSError naming url and key after the last try, and at once after a failure that stays.
        """
        for seconds in (*WAIT_SECONDS, None):
            try:
                return sync(start())
            except (FileExistsError, TypeError, NotImplementedError, ValueError):
                raise
            except Exception as error:
                problem, passes = explain(error)
                if not passes or seconds is None:
                    tries = f", after {len(WAIT_SECONDS) + 1} tries" if passes else ""
                    raise OSError(f"{self.url}/{key}: {problem}{tries}") from error
                logger.debug("%s/%s: %s; again in %.1f s", self.url, key, problem, seconds)
                time.sleep(seconds * random.uniform(1, 1.5))
        raise AssertionError("the last try returns or raises")


def explain(error: Exception) -> tuple[str, bool]:
    """Return what went wrong in a line, and whether it may be otherwise in a moment."""
    names = {kind.__name__ for kind in type(error).__mro__}
    status, text = getattr(error, "status", None), " ".join(str(error).split())[:200]
    if names & NO_CREDENTIALS:
        return f"no credentials ({text}): state them as the storage's own tools take them, such as AWS_PROFILE", False
    if any(word in text for word in WRONG_CREDENTIALS):
        return f"the storage does not accept these credentials ({text})", False
    if status in (401, 403) or "PermissionError" in names:
        return f"not allowed ({text or status}): ask for permission, or check the address", False
    if status in PASSING_STATUS:
        return f"the server answers {status} ({text})", True
    if names & NO_CONNECTION:
        return f"no connection ({text}): is the server running, and is the address right?", False
    if names & PASSING:
        return f"the connection failed ({type(error).__name__}: {text})", True
    return f"{type(error).__name__}: {text}", any(str(code) in text for code in (500, 502, 503, 504))
