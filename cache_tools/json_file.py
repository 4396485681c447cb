"""JSON files as people have them: UTF-8 with or without a byte order mark, UTF-16, millions of objects."""

import gc
import json
from pathlib import Path
from typing import Any

from cache_tools.input_file import read_input


class RepeatedKey(ValueError):
    """An object has a key twice, and which of the values is meant is not known."""


def read_json(path: str | Path, expected: str) -> Any:
    """Return the content of a JSON file; ValueError where it is none.

    expected: what the file should have been, for the message: "a COCO annotation file".
    """
    return parse_json(read_input(path, expected), path, expected)


def parse_json(content: bytes, path: str | Path, expected: str) -> Any:
    """Return what bytes of JSON hold; ValueError names `path` and `expected` where they are none."""
    collecting = gc.isenabled()
    # the collector would look for garbage among millions of small objects again and again, and there is none
    gc.disable()
    try:
        # the encodings that JSON may have begin differently, so json.detect_encoding cannot be wrong
        text = content.decode(json.detect_encoding(content), errors="strict")
        return json.loads(text, object_pairs_hook=_object)
    except RepeatedKey as error:
        raise ValueError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path} is not JSON{_instead(content)} ({reason}): expected {expected}") from None
    finally:
        if collecting:
            gc.enable()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; RepeatedKey where a key is there twice, of which Python would keep the last in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        values = [f"{value!r:.30}" for key, value in pairs if key == twice]
        which = f" of the object with id {found['id']!r:.40}" if "id" in found else ""
        raise RepeatedKey(f"the key {twice!r:.40}{which} is there twice, as {values[0]} and {values[1]}: expected one")
    return found


def _instead(content: bytes) -> str:
    """Return what else a file looks like, as part of a message: ", it looks like HTML"."""
    begin = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not content.strip():
        return ", it is empty"
    kinds = {
        b"<!doctype html": "a web page: was it downloaded from a page that asks for a login?",
        b"<html": "a web page: was it downloaded from a page that asks for a login?",
        b"<": "XML",
        b"version https://git-lfs": "a pointer of Git LFS: run `git lfs pull`",
        b"pk\x03\x04": "a ZIP archive: unpack it",
        b"\x1f\x8b": "a gzip archive: unpack it",
        b"\xff\xd8": "a JPEG photo",
        b"\x89png": "a PNG image",
        b"\x89hdf": "an HDF5 file",
        b"%yaml": "YAML",
    }
    found = next((kind for start, kind in kinds.items() if begin.startswith(start)), None)
    return "" if found is None else f", it looks like {found}"
