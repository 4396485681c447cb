"""`kdcache` in this process: with the exit code and the text that a shell would see, or with what it prints only."""

import contextlib
import io
import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import kdcache, main


class Ended(NamedTuple):
    """What a command left."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """Return the line that says what is wrong: the last one of stderr."""
        return (self.stderr.strip().splitlines() or [""])[-1]


def run_command(*words: str | Path) -> Ended:
    """Run `kdcache` with these words; an exception that it lets through is exit code 1 with its traceback."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["kdcache", *map(str, words)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            code = 1
            err.write(traceback.format_exc())
    return Ended(code, out.getvalue(), err.getvalue())


def run(*arguments: str | Path) -> str:
    """Return what `kdcache` prints with these words; its exceptions are raised, another exit code than 0 fails."""
    result = CliRunner().invoke(kdcache, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def metrics(path: Path, *arguments: str | Path) -> dict[str, Any]:
    """Return what `kdcache evaluate` writes into `path`."""
    run("evaluate", *arguments, "--device", "cpu", "--out", path)
    return dict(json.loads(path.read_text()))


def contexts(name: str) -> Iterator[click.Context]:
    """Yield the context of a command, or of each command of a group."""
    parent = click.Context(kdcache)
    command = kdcache.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    if not isinstance(command, click.Group):
        yield context
        return
    for part in command.list_commands(context):
        inner = command.get_command(context, part)
        assert inner is not None
        yield click.Context(inner, info_name=part, parent=context)
