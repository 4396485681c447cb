"""Memory shared by processes: what one writes the others read, and nothing of it has a name."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from student.batches.shared_bytes import SharedBytes, gather_alone, host_name, share_bytes

SIZE = 1000
WRITER = """
import sys
from student.batches.shared_bytes import SharedBytes
shared = SharedBytes(1000)
shared.bytes[7] = 42
print(shared.address.process, shared.address.file, shared.address.token.hex(), flush=True)
sys.stdin.read()
"""
linux = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has nameless memory to share")


@linux
def test_what_one_process_writes_another_reads_also_after_it_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        process, file, token = writer.stdout.readline().decode().split()
        own = SharedBytes(SIZE)
        assert own.address is not None
        address = replace(own.address, process=int(process), file=int(file), token=bytes.fromhex(token))
        own.forget()
        shared = SharedBytes(SIZE, address)
        assert shared.bytes[7] == 42
        with pytest.raises(OSError, match="expected its token"):
            SharedBytes(SIZE, replace(address, token=bytes(16)))
        with pytest.raises(OSError, match="bytes: expected 1017"):
            SharedBytes(SIZE + 1, address)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert shared.bytes[7] == 42
    with pytest.raises(OSError, match="No such file"):
        SharedBytes(SIZE, address)


@linux
def test_the_memory_is_the_first_process_s_where_it_can_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    first = SharedBytes(SIZE)
    first.bytes[3] = 9
    here = host_name()

    def beside_first(value: Any) -> list[Any]:
        return [value, value] if value is None else [("another host", None), (here, first.address), value]

    assert share_bytes(SIZE, beside_first).bytes[3] == 9
    assert not caplog.text
    first.forget()
    # closed: each has its own
    assert share_bytes(SIZE, beside_first).bytes[3] == 0
    assert "processes of this host share no decoded crops" in caplog.text


def test_one_process_has_its_own_memory_with_and_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        shared = share_bytes(SIZE, gather_alone)
        assert not shared.bytes.any()
        shared.bytes[:] = 5
        assert np.all(shared.bytes == 5)
        monkeypatch.delattr(os, "memfd_create", raising=False)
    assert shared.address is None


@linux
def test_where_files_are_limited_the_memory_is_of_this_process_only() -> None:
    """`ulimit -f`, which some queues set, holds for nameless memory, too."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    code += "from student.batches.shared_bytes import SharedBytes\n"
    code += "shared = SharedBytes(1000); shared.bytes[7] = 42; print(shared.address, len(shared.bytes))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None 1000\n"
