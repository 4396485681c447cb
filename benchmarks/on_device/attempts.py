"""Parts of a section that may end with an error, which the report says; the others are measured all the same."""

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from measured import Row

CHECKOUT = Path(__file__).parents[2]


def attempt(what: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows of a part, and in place of an error a row that misses its target and says what failed where."""
    try:
        yield from rows
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        yield Row(f"{what}: failed", None, target="no error", met=False, note=described(error))


def described(error: BaseException) -> str:
    """Return an error in one line, with the innermost line of the checkout that it came through."""
    message = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {message[0] if message else ''}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(CHECKOUT) and ".venv" not in frame.filename
    ]
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).relative_to(CHECKOUT)}:{frames[-1].lineno})"
