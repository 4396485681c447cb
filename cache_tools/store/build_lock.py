"""One builder of a store at a time: the lock of its folder, or an object that does as much on object stores.

    with build_lock("store.zarr"):
        ...

Two builders that look at the same object store within the same moment may both go on: each of them creates the same
root or is refused, and entries of another root are never read.
"""

import contextlib
import time
from collections.abc import Iterator

from cache_tools.folder_lock import folder_lock
from cache_tools.lock_holder import beating, holder_of, in_use, new_record, record_bytes, wait_for_silence
from cache_tools.store.objects import Objects, Url

LOCK = ".build-lock"
USE = "being built"
# Seconds in which other writers of an object store are seen that took the same lock.
SETTLING_SECONDS = 1.0


@contextlib.contextmanager
def build_lock(url: Url) -> Iterator[None]:
    """Hold the lock of the store at `url` during the block; BlockingIOError where a living builder holds it."""
    objects = Objects(url, write=True)
    with folder_lock(objects.folder, LOCK, USE) if objects.folder is not None else _remote_lock(objects):
        yield


@contextlib.contextmanager
def _remote_lock(objects: Objects) -> Iterator[None]:
    record = new_record()
    try:
        objects.create(LOCK, record_bytes(record))
    except FileExistsError:
        wait_for_silence(lambda: objects.get(LOCK) or b"", objects.url, USE)
        objects.set(LOCK, record_bytes(record))
        time.sleep(SETTLING_SECONDS)
    holder = holder_of(objects.get(LOCK) or b"")
    if holder.get("token") != record["token"]:
        raise in_use(objects.url, USE, holder)
    try:
        with beating(lambda: objects.set(LOCK, record_bytes(record))):
            yield
    finally:
        # the storage may be gone, and why is in the block's own error
        with contextlib.suppress(OSError):
            if holder_of(objects.get(LOCK) or b"").get("token") == record["token"]:
                objects.delete(LOCK)
