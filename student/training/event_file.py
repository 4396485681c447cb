"""TensorBoard's file of a run, written where its numbers come up.

PyTorch's SummaryWriter writes in a thread of its own, which on a full disk prints a traceback in place of the error and
raises another one when it is closed.
"""

import os
import socket
import struct
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from cache_tools.full_disk import append_whole


class EventFile:
    """A new file `events.out.tfevents.*` in a folder. Close it."""

    def __init__(self, folder: Path, step: int) -> None:
        """Begin the file of a run that goes on after `step`: TensorBoard drops what earlier files have beyond it."""
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names
        now = time.time_ns()
        name = f"events.out.tfevents.{now // 10**9}.{socket.gethostname()}.{os.getpid()}.{now}"
        self.path = folder / name
        # unbuffered: an event is on the disk, or it is an error, before the next one is made
        self.file = self.path.open("wb", buffering=0)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        if step:
            start = SessionLog(status=SessionLog.START)
            self._write(Event(wall_time=time.time(), step=step + 1, session_log=start))

    def add_scalars(self, scalars: dict[str, float], step: int) -> None:
        """Append numbers of a step."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _write(self, event: Event) -> None:
        append_whole(self.file, self.path, _record(event.SerializeToString()))


def _record(data: bytes) -> bytes:
    """Return bytes as TensorFlow's record format has them: length, its checksum, the bytes, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
