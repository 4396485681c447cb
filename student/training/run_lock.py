"""One training at a time into a run's folder: a second one is refused, what a killed one left is taken over."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cache_tools.folder_lock import folder_lock
from student.run_record import LOCK
from student.training.distributed import ProcessContext, largest_of_all


@contextlib.contextmanager
def run_locks(folders: Sequence[Path], process: ProcessContext) -> Iterator[None]:
    """Hold the lock of each folder during the block; of several processes the first one does.

    Raises BlockingIOError, in every process, where another training holds one.
    """
    refusal: OSError | None = None
    with contextlib.ExitStack() as stack:
        if process.first:
            try:
                for folder in folders:
                    stack.enter_context(folder_lock(folder, LOCK, "being trained"))
            except OSError as error:
                refusal = error
        # all learn of it together: one that went on would wait for the first for ever
        if largest_of_all(int(refusal is not None), process):
            raise refusal or BlockingIOError("the folder of the run cannot be locked: the first process says why")
        yield
