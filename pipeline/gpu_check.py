"""The check of a GPU: tests marked `gpu` and, beside them, what is compiled; then benchmarks/device.py; eight minutes.

`make gpu` and `kdcache doctor --gpu` run it. It downloads nothing, and reads no folder outside the checkout but, where
KDCACHE_TEST_DATA names one, that of the tests.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.installation import missing_for_gpu_check

logger = logging.getLogger(__name__)

CHECKOUT = Path(__file__).parents[1]
BENCHMARK, COMPILE_AHEAD = "benchmarks/device.py", "benchmarks/on_device/compile_ahead.py"
#: in a file of tests that need a GPU
MARK = "pytest.mark.gpu"
#: of everything; tests get this share of it, and the benchmark what they leave
SECONDS, TESTS_SHARE = 450.0, 0.35
#: pytest's exit codes: all passed, no test was selected
PASSED, NONE_SELECTED = 0, 5
#: with the packages of constraints.txt a warning fails a test; those of an image are others, and warn of other things
WARNINGS = ("-W", "default")


def check_gpu(out: Path, size: str | None = None, seconds: float = SECONDS) -> bool:
    """Run tests and benchmark and return whether both passed; gpu.json and gpu.md are written into `out`.

    size: of benchmarks/device.py, None for the machine's. Raises FileNotFoundError outside a checkout and
    ModuleNotFoundError, before anything is run, where packages are missing.
    """
    if not (CHECKOUT / BENCHMARK).is_file():
        raise FileNotFoundError(
            f"{CHECKOUT} holds no {BENCHMARK}: the check of a GPU runs in a checkout (make gpu), not from a package"
        )
    missing = missing_for_gpu_check()
    if missing:
        raise ModuleNotFoundError(f"the check of a GPU needs packages that are missing: {', '.join(missing)}")
    start = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    compiled = out.absolute() / "gpu-compiled.jsonl"
    # it is read even where nothing came to be compiled
    compiled.write_text("", encoding="utf-8")
    with _started([COMPILE_AHEAD, "--out", str(compiled)]) as compiling:
        tests = _run(["-m", "pytest", "-m", "gpu", *WARNINGS, *gpu_tests()], TESTS_SHARE * seconds)
        _ended(compiling, TESTS_SHARE * seconds - (time.monotonic() - start))
    left = seconds - (time.monotonic() - start)
    sized = [] if size is None else ["--size", size]
    arguments = [BENCHMARK, "--out", str(out.absolute()), "--seconds", f"{left:.0f}", "--compiled-ahead", str(compiled)]
    # a section may end after its time: the process is ended where it hangs
    benchmark = _run([*arguments, *sized], left + 60)
    logger.info("tests marked gpu: %s; %s: %s", _word(tests), BENCHMARK, _word(benchmark))
    return tests in (PASSED, NONE_SELECTED) and benchmark == PASSED


def gpu_tests() -> list[str]:
    """Return the files with tests marked `gpu`: others may import what is not installed beside a GPU."""
    files = sorted((CHECKOUT / "tests").rglob("test_*.py"))
    marked = [file for file in files if MARK in file.read_text()]
    return [str(file.relative_to(CHECKOUT)) for file in marked]


def _run(arguments: list[str], seconds: float) -> int | None:
    """Run Python in the checkout; return its exit code, None where it took more than `seconds`."""
    with _started(arguments) as process:
        return _ended(process, seconds)


@contextmanager
def _started(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start Python in the checkout; at the end of the block neither it nor a process that it started is left."""
    with subprocess.Popen([sys.executable, *arguments], cwd=CHECKOUT, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a process; return its exit code, None where it did not end within `seconds`."""
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        logger.error("%s was ended: it took more than %.0f seconds", process.args, seconds)
        return None


def _word(code: int | None) -> str:
    return {None: "out of time", PASSED: "passed", NONE_SELECTED: "there are none"}.get(code, "failed")
