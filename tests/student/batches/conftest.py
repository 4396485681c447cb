"""A store of drawn persons with their photos, once for the tests of a file."""

from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore
from tests.samples.drawn_store import ROWS, draw_photos, write_store


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    return write_store(tmp_path_factory.mktemp("stores") / "a.zarr", photos, draw_photos(photos, ROWS), views=3)
