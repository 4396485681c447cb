"""Stop a run by SIGTERM or Ctrl-C: it ends the current step, saves, and says how to resume.

Queues, torchrun and shells send SIGTERM more than once; that must not interrupt the save.
"""

import signal
import threading
from types import FrameType, TracebackType

from student.training.distributed import ProcessContext, largest_of_all

STEPS_BETWEEN_CHECKS = 10  # of several processes: at every step, agreeing would hold up the device


class StopSignals:
    """While open, note the first SIGTERM or SIGINT in `received`; of later ones only SIGINT (Ctrl-C) interrupts."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._handlers_before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers_before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned before

    def stops_after(self, step: int, process: ProcessContext) -> signal.Signals | None:
        """Return the signal for which the run stops after this step; None where it goes on.

        All processes must call this at the same steps, and all get the same answer: they stop together, whichever of
        them received the signal.
        """
        if process.world == 1:
            return self.received
        if step % STEPS_BETWEEN_CHECKS:
            return None
        number = largest_of_all(self.received or 0, process)
        return signal.Signals(number) if number else None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
