"""Where the real photos and the real teacher are, and a small rendered data set."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `coco/` and `teachers/`: KDCACHE_TEST_DATA, or ../shared/data beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KDCACHE_TEST_DATA", default))
    if not (folder / "coco").is_dir():
        pytest.skip(f"no test data at {folder}: set KDCACHE_TEST_DATA to the folder that holds coco/ and teachers/")
    return folder
