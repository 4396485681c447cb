"""JSON files as people have them: UTF-8 with or without a byte order mark, UTF-16, millions of objects."""

import gc
import json
from pathlib import Path
from typing import Any


def read_json(path: str | Path, expected: str) -> Any:
    """Return the content of a JSON file; ValueError where it is none.

    expected: what the file should have been, for the message: "a COCO annotation file".
    """
    return parse_json(Path(path).read_bytes(), path, expected)


def parse_json(content: bytes, path: str | Path, expected: str) -> Any:
    """Return what bytes of JSON hold; ValueError names `path` and `expected` where they are none."""
    collecting = gc.isenabled()
    # the collector would look for garbage among millions of small objects again and again, and there is none
    gc.disable()
    try:
        # the encodings that JSON may have begin differently, so json.detect_encoding cannot be wrong
        return json.loads(content.decode(json.detect_encoding(content), errors="strict"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path} is not JSON ({reason}): expected {expected}") from None
    finally:
        if collecting:
            gc.enable()
