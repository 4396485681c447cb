"""Pages of freed memory are still there when they are needed again."""

import subprocess
import sys

import pytest

#: prints the page faults of ten rounds that fill and free 64 MiB
ROUNDS = """
import resource, sys
from student.training.freed_memory import keep_freed_memory

def fill():
    blocks = [b"1" * (8 << 20) for _ in range(8)]

if sys.argv[1] == "kept":
    assert keep_freed_memory()
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Return the page faults of ten rounds in a process of their own."""
    ended = subprocess.run([sys.executable, "-c", ROUNDS, how], capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_kept_memory_faults_in_once() -> None:
    assert 2 * faults("kept") < faults("returned")
