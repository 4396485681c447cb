"""Only stores can be urls: everywhere else a url is refused in one line, and no folder named `s3:` is made."""

from pathlib import Path

import click
import pytest
import yaml

from cache_tools.local_path import is_url
from cache_tools.store.writer import HeatmapStore
from pipeline.cli import COMMANDS
from pipeline.commands.shared_options import LocalPath
from pipeline.config import load_config, merge
from pipeline.workflow.launcher import CONFIGURATIONS
from tests.samples.command_line import contexts, run_command

REFUSED = "is a url: expected a path on this machine; only stores can be urls"
#: names of the options and arguments that take a store's url
STORES = {"store", "stores", "loader", "basis"}
#: those that take the file of an input, a name or a value; what they read is missing where it is a url
TEXTS = {
    "against", "backbone", "backbones", "boxes", "category", "changes", "configfile", "cores", "device", "heights",
    "input_size", "joints", "metric", "name", "part", "rows", "scheduler", "settings", "skeleton", "source", "student",
    "students", "teacher", "teachers", "val_category", "weights",
}  # fmt: skip
CONTEXTS = [context for name in COMMANDS for context in contexts(name)]
PARAMETERS = [(context.command_path, parameter) for context in CONTEXTS for parameter in context.command.params]
PATHS = [(command, parameter) for command, parameter in PARAMETERS if isinstance(parameter.type, LocalPath)]


@pytest.mark.parametrize(("command", "parameter"), PATHS, ids=[f"{command} {p.opts[0]}" for command, p in PATHS])
@pytest.mark.parametrize("url", ["s3://bucket/a", "gs:/bucket/a.json", "http://127.0.0.1/a", "file:///tmp/a"])
def test_a_url_is_no_path(
    command: str, parameter: click.Parameter, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # of arguments, those before it
    before = ["coco"] if command == "download" else []
    option = before if isinstance(parameter, click.Argument) else [parameter.opts[0]]
    done = run_command(*command.split(), *option, url)
    assert done.code == 2
    assert f"{url!r} {REFUSED}" in done.error
    assert not list(tmp_path.iterdir())


def test_every_parameter_that_is_text_is_known() -> None:
    """A new option that names a file is of type PATH, or is listed here."""
    texts = {p.name for _, p in PARAMETERS if isinstance(p.type, (click.types.StringParamType, click.types.Tuple))}
    assert texts == STORES | TEXTS | {"out"}
    assert [of for of, p in PARAMETERS if p.name == "out" and not isinstance(p.type, LocalPath)] == ["merge"]
    assert not [p.name for _, p in PARAMETERS if isinstance(p.type, click.Path) and not isinstance(p.type, LocalPath)]


@pytest.mark.parametrize(
    "changes",
    [
        {"out": "s3://bucket/results"},
        {"data": {"root": "s3:/bucket/data"}},
        {"data": {"train": {"images": "s3://bucket/photos"}}},
        {"data": {"checksums": ["https://127.0.0.1/sums"]}},
        {"evaluate": {"boxes": "s3://bucket/boxes.json"}},
    ],
    ids=str,
)
def test_a_configuration_names_paths(changes: dict[str, object], tmp_path: Path) -> None:
    document = yaml.safe_load((CONFIGURATIONS / "photos.yaml").read_text())
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(merge(document, changes)))
    with pytest.raises(ValueError, match=REFUSED):
        load_config(path)
    done = run_command("run", "--configfile", path)
    assert done.code == 2
    assert REFUSED in done.stderr


@pytest.mark.parametrize("words", [("info",), ("verify",), ("merge", "a.zarr", "--out"), ("evaluate", "--store")])
def test_a_store_that_has_lost_a_slash_is_named(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ("--annotations", "a.json") if "evaluate" in words else ()
    done = run_command(*words, str(Path("s3://bucket/a.zarr")), *more)
    assert done.code == 2
    assert not list(tmp_path.iterdir())
    if "merge" not in words:
        assert done.error == (
            "error: s3:/bucket/a.zarr is a url that has lost a slash, as pathlib does: give it as text, with //"
        )


def test_a_folder_with_a_colon_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data:").mkdir()
    assert is_url("data:/a.zarr")
    with pytest.raises(FileNotFoundError, match=r"there is no store at data:/a\.zarr"):
        HeatmapStore.open("data:/a.zarr")


@pytest.mark.parametrize("name", ["a.zarr", "/data/a.zarr", "C:/data/a.zarr", "../12:30/a", "a:b", "~/a"])
def test_paths_are_no_urls(name: str) -> None:
    assert not is_url(name)
