"""Programs `snakemake` and `kdcache` whose processes are forked from one that has imported what takes them seconds.

They are for dry runs and for the jobs of a workflow: what is tested is what they do, not that they start.
"""

import contextlib
import gc
import importlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tests.samples.server_process import start, stop

ROOT = Path(__file__).parents[2]
#: the module of each one's `main`
PROGRAMS = {"kdcache": "pipeline.cli", "snakemake": "snakemake.cli"}
#: not onnxruntime, whose threads end a forked process by an error
PRELOADED = [
    "matplotlib.pyplot", "pipeline.workflow.options", "pulp", "pycocotools.cocoeval", "smart_open",
    "snakemake.executors.dryrun", "snakemake.report.html_reporter", "student.training.loop", "timm",
    "torch.utils.tensorboard", *PROGRAMS.values(),
]  # fmt: skip
#: connects to the server, hands it its streams, and ends with the exit code that it is told
CLIENT = """#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    socket.send_fds(connection, [b"0"], [0, 1, 2])
    connection.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode())
    connection.shutdown(socket.SHUT_WR)
    sys.exit(int(connection.recv(8) or b"1"))
"""


@contextlib.contextmanager
def forked_programs(folder: Path) -> Iterator[Path]:
    """Yield a folder that holds the programs, which work during the block. folder: an empty one for them."""
    address, programs = folder / "socket", folder / "bin"
    programs.mkdir()
    server = start([sys.executable, "-m", __name__, address], folder / "log", address.exists, cwd=ROOT)
    for name in PROGRAMS:
        (programs / name).write_text(CLIENT.format(python=sys.executable, address=str(address)))
        (programs / name).chmod(0o755)
    try:
        yield programs
    finally:
        stop(server)


def _serve(address: str) -> NoReturn:
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _answer(connection)
            # of those that have ended since
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(connection: socket.socket) -> NoReturn:
    """Run the command of a client in another process and tell the client its exit code."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as request:
        arguments, folder, environment = json.load(request)
    command = os.fork()
    if command == 0:
        connection.close()
        _run(arguments, folder, environment, streams)
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> NoReturn:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    importlib.import_module(PROGRAMS[Path(arguments[0]).name]).main()
    sys.exit()


if __name__ == "__main__":
    _serve(sys.argv[1])
