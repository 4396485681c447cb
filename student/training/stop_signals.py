"""SIGTERM and Ctrl-C ask a run to stop; it ends the step in hand, saves, and says how to go on.

Queues, torchrun and shells send SIGTERM more than once: that must not cut off the save.
"""

import signal
import threading
from types import FrameType, TracebackType


class StopSignals:
    """While open, the first SIGTERM or SIGINT is only noted in `asked`; of later ones, Ctrl-C alone interrupts."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
