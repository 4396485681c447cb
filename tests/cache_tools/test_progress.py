"""Progress in a log: whole lines, seldom; nothing for what is quick."""

import io
import sys

import pytest

from cache_tools import progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def run(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, seconds: float, quiet: bool = False) -> str:
    """Return what 50 of 100 rows write to the stream, with a line due after each `seconds`."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SECONDS", seconds)
    with progress.progress_bar(100, "build", "row", done=20, quiet=quiet) as bar:
        for _ in range(50):
            bar.update(1)
        bar.set_postfix_str("loss 0.5", refresh=False)
    return stream.getvalue()


def test_a_log_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(monkeypatch, io.StringIO(), 1e-9)
    assert "\r" not in said
    lines = said.splitlines()
    assert all(line.startswith("build: ") and " of 100 rows, " in line and "to go" in line for line in lines)
    assert lines[-1].startswith("build: 70 of 100 rows")
    assert "loss 0.5" in lines[-1]


def test_what_is_quick_or_quiet_says_nothing_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, io.StringIO(), 30) == ""
    assert run(monkeypatch, io.StringIO(), 1e-9, quiet=True) == ""
    assert run(monkeypatch, Terminal(), 30, quiet=True) == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(monkeypatch, Terminal(), 30)
    assert "\r" in said
    assert "70/100" in said
