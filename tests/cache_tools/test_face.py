"""The public face of the package: a few names, each of which costs only what it needs."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import cache_tools
from cache_tools import codec, store


def modules_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh Python has imported after `code`."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    root = Path(__file__).parents[2]
    return set(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout.split())


def test_a_store_is_opened_and_read_by_the_names_at_the_top(finished_store: Path) -> None:
    opened = cache_tools.open_store(finished_store)
    assert isinstance(opened, cache_tools.HeatmapStore)
    assert opened.read([5, 0, 7]).shape == (3, 17, 64, 48)
    assert isinstance(opened.instances, cache_tools.Instances)
    assert issubclass(cache_tools.CacheMismatch, ValueError)
    assert cache_tools.__version__ == version("kdcache")


@pytest.mark.parametrize("room", [cache_tools, codec, store])
def test_every_public_name_exists(room: object) -> None:
    for name in room.__all__:  # type: ignore[attr-defined]
        assert getattr(room, name) is not None


def test_progress_is_imported_without_zarr_and_a_store_without_torch() -> None:
    assert "zarr" not in modules_after("import cache_tools.progress")
    assert "torch" not in modules_after("import cache_tools; cache_tools.open_store")
