"""Stores of somebody who means harm: each ends in one line and exit code 2, in little memory and time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.samples.forged_stores import FORGERIES
from tests.samples.forging import root_field
from tests.samples.small_store import built, persons

# Runs commands in one process, because starting 200 would take minutes: one JSON line each.
RUN = r"""
import contextlib, io, json, re, resource, signal, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)
import pipeline.cli
for arguments in json.loads(sys.stdin.read()):
    out, err, code, start = io.StringIO(), io.StringIO(), 0, time.monotonic()
    sys.argv = ["kdcache", *arguments]
    signal.alarm(20)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            pipeline.cli.main()
    except SystemExit as stop:
        code = stop.code
    except BaseException as error:
        code = repr(error)
    signal.alarm(0)
    # not ru_maxrss, which begins with what the process had that started this one
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    print(json.dumps([code, out.getvalue(), err.getvalue(), time.monotonic() - start, peak]), flush=True)
"""


def run_all(commands: list[list[str]]) -> list[list[Any]]:
    """Run commands of kdcache in one process; return code, stdout, stderr, seconds and peak memory in bytes of each."""
    process = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(commands), capture_output=True, text=True, timeout=280
    )
    results = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(results) == len(commands), f"{commands[len(results)]} ended the process: {process.stderr[-2000:]}"
    return results


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a forged store of each kind; return their folders by kind, and `good`, a store of other persons."""
    folder = tmp_path_factory.mktemp("forged")
    built(folder / "base", persons(20))
    built(folder / "good", persons(4, first_id=300))
    stores = {"good": folder / "good"}
    for number, (name, forge) in enumerate(FORGERIES.items()):
        stores[name] = Path(shutil.copytree(folder / "base", folder / f"store{number}"))
        forge(stores[name])
    return stores


def test_a_forged_store_ends_in_one_line_whatever_reads_it(forged: dict[str, Path], tmp_path: Path) -> None:
    assert len(FORGERIES) >= 60
    names = list(FORGERIES)
    # merge reads the receipt, every code, view and crop
    good, stores = str(forged["good"]), [forged[name] for name in names]
    merges = [["merge", str(store), good, "--out", str(tmp_path / store.name)] for store in stores]
    verifies = [["verify", str(store)] for store in stores]
    results = run_all([*merges, *verifies])
    wrong = []
    for kind, (code, _, err, seconds, peak) in zip(names, results[: len(names)], strict=True):
        is_one_line = err.startswith("error: ") and err.count("\n") == 1 and len(err) < 1000
        if code != 2 or not is_one_line or "\x1b" in err or seconds > 20 or peak > 2**30:
            wrong.append((f"merge {kind}", code, err[-600:], seconds, peak))
    for kind, (code, out, err, seconds, peak) in zip(names, results[len(names) :], strict=True):
        if code not in (1, 2) or "Traceback" in err or "\x1b" in out + err or seconds > 20 or peak > 2**30:
            wrong.append((f"verify {kind}", code, err[-600:] + out[-300:], seconds, peak))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_a_terminal_would_obey_is_printed_as_its_escape(tmp_path: Path) -> None:
    built(tmp_path / "store", persons(4))
    root_field("spec.teacher.name", "nice\x1b]0;owned\x07\nstate finished\u202e")(tmp_path / "store")
    ((code, out, _, _, _),) = run_all([["info", str(tmp_path / "store")]])
    assert code == 0
    assert "teacher         nice\\x1b]0;owned\\x07\\nstate finished\\u202e" in out
    assert "\x1b" not in out
