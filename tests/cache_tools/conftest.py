"""One finished store for all tests of the store's room; tests that change a store work on a copy."""

from pathlib import Path

import pytest

from tests.samples.small_store import built, persons

ROWS = 40  # two full shards and half a one


@pytest.fixture(scope="session")
def finished_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a finished store of 40 persons in three shards, with crops and two views."""
    folder = tmp_path_factory.mktemp("finished") / "store"
    built(folder, persons(ROWS))
    return folder
