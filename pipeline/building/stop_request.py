"""Stop a build by SIGTERM or Ctrl-C: the shards in flight are dropped, and the build says how to go on.

Queues and shells send SIGTERM more than once. An exception that is raised in the middle of a clean-up can leave a lock
taken for ever, therefore the handler only notes the signal, and the build looks for it.
"""

import signal

from cache_tools.noted_signals import NotedSignals

#: between two looks for a signal
LOOK_SECONDS = 0.2


class StopRequest(NotedSignals):
    """While open, SIGTERM and SIGINT are noted in `received`, and do nothing else."""

    def check(self) -> None:
        """Raise SystemExit 143 after SIGTERM, as a shell expects it, and KeyboardInterrupt after Ctrl-C."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise SystemExit(128 + self.received)
