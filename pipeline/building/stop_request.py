"""Stop a build by SIGTERM or Ctrl-C: the shards in flight are dropped, and the build says how to go on.

Queues and shells send SIGTERM more than once. An exception that is raised in the middle of a clean-up can leave a lock
taken for ever, therefore the handler only notes the signal, and the build looks for it.
"""

import signal
import threading
from types import FrameType, TracebackType

#: between two looks for a signal
LOOK_SECONDS = 0.2


class StopRequest:
    """While open, SIGTERM and SIGINT are noted in `received`, and do nothing else."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.received: signal.Signals | None = None
        self._handlers_before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        """Handle the signals from here on; in another thread than the first, Python allows no handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers_before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Handle the signals as before."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned before

    def check(self) -> None:
        """Raise SystemExit 143 after SIGTERM, as a shell expects it, and KeyboardInterrupt after Ctrl-C."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise SystemExit(128 + self.received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
