"""What opening a store checks before anything of it is used."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from cache_tools.codec.stored_codec import StoredCodec, read_codec
from cache_tools.store.limits import check_sizes
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.root import ROOT, Root, read_root
from cache_tools.store.sealed_json import fingerprint
from cache_tools.store.spec import StoreSpec


class Parsed(NamedTuple):
    """What a root says, as objects whose types and sizes are checked."""

    spec: StoreSpec
    codec: StoredCodec

    @classmethod
    def of(cls, root: Root) -> "Parsed":
        """Return spec and codec of a root; ValueError where they are none or do not fit each other."""
        spec, codec = StoreSpec.from_json(root.spec), read_codec(root.codec)
        check_sizes(spec, codec)
        return cls(spec, codec)


def parse_root(objects: Objects) -> tuple[Root, Parsed]:
    """Return the root of a store, and what it says; FileNotFoundError where there is none, ValueError if damaged."""
    data = objects.get(ROOT)
    if data is None:
        raise no_store(objects)
    with malformed(objects.url):
        root = read_root(data, f"{objects.url}/{ROOT}")
        return root, Parsed.of(root)


@contextlib.contextmanager
def malformed(url: str) -> Iterator[None]:
    """Name the store in a ValueError; make one of what else content raises that kdcache did not write."""
    try:
        yield
    except ValueError as problem:
        raise problem if url in str(problem) else ValueError(f"{url}/{ROOT}: {problem}") from None
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"{url} holds what kdcache does not write ({type(error).__name__}: {error})") from error


def no_store(objects: Objects) -> FileNotFoundError:
    """Return the error that says that there is no store, and how to make one."""
    found = f"there is no store at {objects.url}"
    if objects.folder is not None and objects.folder.exists():
        is_folder = objects.folder.is_dir()
        found = f"{objects.url} is no store, " + (f"it has no {ROOT}" if is_folder else "it is a file and no folder")
    return FileNotFoundError(f"{found}: make one with `kdcache build`, or run that again if it was interrupted")


def read_checked(objects: Objects, key: str, recorded: dict[str, Any]) -> bytes:
    """Return an object that matches its recorded fingerprint; ValueError where it is missing or differs."""
    try:
        data = objects.get(key, recorded["bytes"])
    except ValueError as problem:
        raise ValueError(f"{problem}; {REPAIR}") from None
    if data is None or fingerprint(data) != recorded:
        raise ValueError(f"{objects.url}/{key} is {'missing' if data is None else 'damaged'}; {REPAIR}")
    return data
