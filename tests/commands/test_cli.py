"""The front of the command line: quick, complete, and clear about mistakes."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, kdcache


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from pipeline.cli import kdcache; kdcache(['-h'], standalone_mode=False); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    loaded = set(out.split())
    assert not loaded & {"torch", "timm", "zarr", "dask", "transformers", "matplotlib", "cv2", "pydantic", "numpy"}
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(kdcache, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
    assert len(result.output.splitlines()) > 5


def test_an_unknown_command_names_its_neighbours() -> None:
    result = run("evalute")
    assert result.returncode == 2
    assert "evaluate" in result.stderr


def test_a_mistake_is_one_line_and_exit_code_two(tmp_path) -> None:
    result = run("info", str(tmp_path / "nowhere.zarr"))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "nowhere.zarr" in result.stderr
