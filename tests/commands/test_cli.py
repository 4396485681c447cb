"""The front of the command line: quick, complete, and clear about mistakes."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, kdcache
from tests.samples.command_line import contexts

HEAVY = {"torch", "timm", "zarr", "dask", "transformers", "matplotlib", "cv2", "pydantic", "numpy", "onnxruntime"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_help_imports_nothing_heavy() -> None:
    """The help of every command, one after the other in one process."""
    # the options of train are the fields of pydantic models
    names = [*(name for name in COMMANDS if name != "train"), "train"]
    code = f"""
import sys
from pipeline.cli import kdcache
for arguments in [["-h"], *([name, "-h"] for name in {names})]:
    kdcache(arguments, standalone_mode=False)
    print("loaded", *sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert out.count("Usage:") == 1 + len(COMMANDS)
    loaded = [set(line.split()) for line in out.splitlines() if line.startswith("loaded ")]
    heavy = {name: sorted(HEAVY & modules) for name, modules in zip(["kdcache", *names], loaded, strict=True)}
    assert heavy.pop("train") in ([], ["pydantic"])
    assert not any(heavy.values()), heavy


def test_help_lists_the_commands() -> None:
    output = CliRunner().invoke(kdcache, ["--help"]).output
    assert all(name in output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help_and_shows_its_default(name: str) -> None:
    for context in contexts(name):
        assert context.command.get_short_help_str(), context.command_path
        options = [parameter for parameter in context.command.params if isinstance(parameter, click.Option)]
        for option in options:
            record = option.get_help_record(context)
            assert option.help, f"{context.command_path} {option.opts[0]}"
            assert record is not None
            no_default = option.to_info_dict()["default"] in (None, (), False) and not option.secondary_opts
            assert option.required or no_default or "default:" in record[1], f"{context.command_path} {option.opts[0]}"


def test_an_unknown_command_names_its_neighbours() -> None:
    result = run("evalute")
    assert result.returncode == 2
    assert "evaluate" in result.stderr


def test_a_mistake_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    result = run("info", str(tmp_path / "nowhere.zarr"))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "nowhere.zarr" in result.stderr


def test_codecs_are_named_without_importing_them() -> None:
    from cache_tools.codec.profiles import PROFILES, SUPERSEDED
    from cache_tools.codec.windows import WindowsCodec
    from pipeline.commands.build import CODECS, CODECS_OF_OLD_STORES

    assert {*PROFILES, WindowsCodec.name} == {*CODECS}
    assert SUPERSEDED == CODECS_OF_OLD_STORES


@pytest.mark.parametrize("name", ["student.py", "cache_tools/__init__.py", "student/notes.txt"])
def test_a_module_of_somebody_else_that_hides_ours_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    code = "import sys; sys.path.insert(1, sys.argv.pop(1)); from pipeline.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parents[2]), "skeleton", "coco"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    if name == "student/notes.txt":
        # a folder without code hides nothing
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the package {name.split('.')[0].split('/')[0]} is {tmp_path}")
    assert done.stderr.count("\n") == 1
