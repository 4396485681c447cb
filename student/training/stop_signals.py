"""Stop a run by SIGTERM or Ctrl-C: it ends the current step, saves, and says how to resume.

Queues, torchrun and shells send SIGTERM more than once; that must not interrupt the save.
"""

import signal
from types import FrameType

from cache_tools.noted_signals import NotedSignals
from student.training.distributed import ProcessContext, largest_of_all

STEPS_BETWEEN_CHECKS = 10  # of several processes: at every step, agreeing would hold up the device


class StopSignals(NotedSignals):
    """While open, note the first SIGTERM or SIGINT in `received`; of later ones only SIGINT (Ctrl-C) interrupts."""

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
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        super()._note(number, frame)
