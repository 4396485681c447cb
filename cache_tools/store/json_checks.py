"""Check what a sealed document says before it is used: a seal proves that it was not damaged, not what wrote it."""

import re
from collections.abc import Mapping
from typing import Any

# Parts of an object's key: letters, digits, dots, dashes and underscores; not `.` and `..`.
_PLAIN_PART = re.compile(r"(?!\.{1,2}$)[\w.-]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 0 to the largest that every JSON reader holds exactly."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def is_plain_key(key: Any) -> bool:
    """Return whether a key names an object inside the store: relative, of plain parts."""
    return isinstance(key, str) and len(key) < 512 and all(map(_PLAIN_PART.fullmatch, key.split("/")))


def check_fingerprints(recorded: Any, where: str) -> None:
    """Raise ValueError naming `where` unless `recorded` maps plain keys to lengths and sha256."""
    if not isinstance(recorded, Mapping):
        raise ValueError(f"{where}: objects is {recorded!r:.60}: expected the fingerprint of each object by its key")
    for key, fingerprint in recorded.items():
        if not is_plain_key(key):
            raise ValueError(f"{where}: the key {key!r:.80} is not one of a store's: expected a plain relative path")
        if not _is_fingerprint(fingerprint):
            raise ValueError(f"{where}: {key} has fingerprint {fingerprint!r:.80}: expected its bytes and its sha256")


def is_sha256(value: Any) -> bool:
    """Return whether a value is a sha256 in hexadecimal digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, Mapping) and is_count(value.get("bytes")) and is_sha256(value.get("sha256"))
