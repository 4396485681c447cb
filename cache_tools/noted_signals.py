"""Note SIGTERM and Ctrl-C in place of dying of them, so that work can end where nothing is half done."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class NotedSignals:
    """While open, the first SIGTERM or SIGINT is noted in `received`; later ones do nothing."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.received: signal.Signals | None = None
        self._handlers_before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Handle the signals from here on; in another thread than the first, Python allows no handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers_before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Handle the signals as before."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned before

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
