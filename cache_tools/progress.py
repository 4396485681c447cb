"""Progress of long work: a bar on a terminal; elsewhere, as in a log, a plain line every half minute."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

SECONDS = 30.0  # between lines
AFTER_COUNT = " of {total_fmt} {unit}s, {rate_fmt}, {remaining} to go{postfix}"


class Lines:
    """What tqdm takes for a terminal: each of its updates becomes a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Write what is more than a return to the line's beginning or end."""
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        """Hand the lines on."""
        self.stream.flush()


def progress_bar(
    total: float, what: str, unit: str, *, done: float = 0, quiet: bool = False, scale: bool = False
) -> Any:
    """A tqdm on stderr: `with progress_bar(...) as bar: bar.update(rows)`.

    In a log, what ends before a line is due is silent. done: of `total`, when it begins. quiet: show nothing, as
    processes other than the first do. scale: with k, M and G, for bytes.
    """
    told: dict[str, Any] = {
        "total": total, "initial": done, "desc": what, "unit": unit, "disable": quiet, "unit_scale": scale
    }  # fmt: skip
    if sys.stderr.isatty():
        return tqdm(**told, dynamic_ncols=True)
    line = "{desc}: " + ("{n_fmt}" if scale else "{n:.0f}") + AFTER_COUNT  # a build counts parts of a row
    return tqdm(
        **told, ascii=True, bar_format=line, file=Lines(sys.stderr),
        mininterval=SECONDS, maxinterval=SECONDS, miniters=0, delay=SECONDS,
    )  # fmt: skip
