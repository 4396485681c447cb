"""Progress of long work: a bar on a terminal; elsewhere, as in a log file, a plain line every half minute."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

SECONDS = 30.0  # between lines
AFTER_COUNT = " of {total_fmt} {unit}s, {rate_fmt}, {remaining} to go{postfix}"


class LineWriter:
    """A file for tqdm that writes each of its updates as a line."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self.stream = stream

    def write(self, text: str) -> None:
        """Write a line, unless the text only moves the cursor."""
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def progress_bar(
    total: float, what: str, unit: str, *, done: float = 0, quiet: bool = False, scale: bool = False
) -> Any:
    """Return a tqdm on stderr, a context manager whose `update` adds to what is done.

    In a log, work that ends before its first line is due writes nothing. done: part of `total` that is done already.
    quiet: show nothing, as processes other than the first do. scale: numbers with k, M and G, for bytes.
    """
    options: dict[str, Any] = {
        "total": total, "initial": done, "desc": what, "unit": unit, "disable": quiet, "unit_scale": scale
    }  # fmt: skip
    if sys.stderr.isatty():
        return tqdm(**options, dynamic_ncols=True)
    # without a fraction, because a build counts parts of a row
    count = "{n_fmt}" if scale else "{n:.0f}"
    return tqdm(
        **options, ascii=True, bar_format=f"{{desc}}: {count}{AFTER_COUNT}", file=LineWriter(sys.stderr),
        mininterval=SECONDS, maxinterval=SECONDS, miniters=0, delay=SECONDS,
    )  # fmt: skip
