"""`kdcache train` in a process that a test can stop or kill, forked from one that has imported torch and timm."""

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cache_tools.store.writer import HeatmapStore
from student.settings import StudentSettings

PRELOADED = ["pipeline.commands.train", "student.training.loop", "timm", "torch.utils.tensorboard"]
#: seconds until a process that should end has hung
PATIENCE = 240


def start_forked(function: Callable[..., object], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """Start a process that calls a function of a module."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def run_forked(calls: Sequence[tuple[Any, ...]]) -> None:
    """Call functions of modules at once, each in a process, and check that none fails. calls: (function, arguments)."""
    processes = [start_forked(*call) for call in calls]
    for process in processes:
        process.join(PATIENCE)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
        process.close()
    assert codes == [0] * len(calls)


class TrainingProcess:
    """The command that trains a student into `folder`/run, on one thread; in a block, it ends with the block."""

    def __init__(
        self,
        store: HeatmapStore,
        folder: Path,
        student: StudentSettings,
        *,
        largest_file: int | None = None,
        variables: dict[str, str] | None = None,
    ) -> None:
        """Start it. largest_file: bytes that a file may have, as on a full disk. variables: of its environment."""
        settings = folder / "settings.json"
        settings.write_text(student.model_dump_json())
        arguments = ["train", store.url, "--out", str(folder / "run"), "--settings", str(settings), "--device", "cpu"]
        self._messages, stderr = multiprocessing.Pipe(duplex=False)
        self.process = start_forked(_train, arguments, stderr, largest_file, variables or {})
        stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self._messages.close()

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds or the process has ended."""
        while not condition():
            self.process.join(0.005)
            if self.process.exitcode is not None:
                break

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def end(self) -> tuple[int | None, str]:
        """Wait for the end; return the exit code, negative for a signal, and what stderr was told."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
        with open(os.dup(self._messages.fileno())) as messages:
            return code, messages.read()


def _train(
    arguments: list[str], stderr: "Connection[bytes, bytes]", largest_file: int | None, variables: dict[str, str]
) -> None:
    import torch

    from pipeline.cli import main

    os.dup2(stderr.fileno(), 2)
    stderr.close()
    torch.set_num_threads(1)
    os.environ.update(variables)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file,) * 2)
    sys.argv = ["kdcache", *arguments]
    main()
