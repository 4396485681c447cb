"""Numbers of a run as it goes on: log.jsonl and TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cache_tools.files import write_text
from cache_tools.full_disk import append_whole

if TYPE_CHECKING:
    from student.training.event_file import EventFile

LOG = "log.jsonl"


class MetricLogger:
    """Log entries of a run, each with its step, to log.jsonl and TensorBoard. Use it in a `with` block, or close it."""

    def __init__(self, run: Path, step: int, *, enabled: bool = True) -> None:
        """Open the logs of a run that goes on after `step`. enabled: False in processes other than the first."""
        self.run = run
        self.events: EventFile | None = None
        if enabled:
            # TensorBoard takes a while to import
            from student.training import event_file

            self.events = event_file.EventFile(run / "tensorboard", step)

    def __enter__(self) -> "MetricLogger":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry to log.jsonl and its numbers to TensorBoard."""
        if self.events is None:
            return
        append_log(self.run, entry)
        scalars = {name: value for name, value in entry.items() if isinstance(value, float) and name != "epoch"}
        self.events.add_scalars(scalars, entry["step"])

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self.events is not None:
            self.events.close()


def append_log(run: Path, entry: Mapping[str, Any]) -> None:
    """Append one line to log.jsonl, in one write, so that a reader never sees half of it."""
    line = json.dumps(entry) + "\n"
    with open(run / LOG, "ab", buffering=0) as file:
        append_whole(file, run / LOG, line.encode())


def read_log(run: str | Path) -> list[dict[str, Any]]:
    """Return every entry of log.jsonl in order of steps; a last line that a power cut left incomplete is left out."""
    path = Path(run) / LOG
    lines = path.read_bytes().splitlines() if path.is_file() else []
    if lines and not _is_json(lines[-1]):
        lines.pop()
    return [json.loads(line) for line in lines]


def cut_log(run: Path, step: int) -> None:
    """Remove the entries after `step`: the run is resumed there and logs them again."""
    kept = [json.dumps(entry) for entry in read_log(run) if entry["step"] <= step]
    write_text(run / LOG, "".join(line + "\n" for line in kept))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
