"""Messages of the command line: what a command logs goes to stderr, above the progress bar; its result to stdout.

Every module logs with `logging.getLogger(__name__)`; only the command line decides what is shown and where.
"""

import logging
import sys

from tqdm import tqdm

from pipeline.printable import printable

PACKAGES = ("cache_tools", "student", "pipeline")


class TqdmHandler(logging.Handler):
    """Write records to stderr, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record: a message as it is, and a warning with that word before it."""
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = printable(super().format(record))
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


def show_messages(verbosity: int = 0) -> None:
    """Show the packages' messages on stderr. verbosity: -1 warnings only, 0 messages as well, 1 details as well."""
    handler = TqdmHandler()
    handler.setFormatter(_Formatter())
    level = {-1: logging.WARNING, 0: logging.INFO}.get(max(verbosity, -1), logging.DEBUG)
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = [handler]
        logger.setLevel(level)
