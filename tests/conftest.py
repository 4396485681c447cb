"""Where the real photos and the real teacher are; what tests of training share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `coco/` and `teachers/`: KDCACHE_TEST_DATA, or ../shared/data beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KDCACHE_TEST_DATA", default))
    if not (folder / "coco").is_dir():
        pytest.skip(f"no test data at {folder}: set KDCACHE_TEST_DATA to the folder that holds coco/ and teachers/")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Drawn persons for runs of a few steps."""
    from tests.samples.drawn_store import draw, write_store
    from tests.samples.short_run import ROWS

    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "a.zarr", folder / "photos", draw(folder / "photos", ROWS))


@pytest.fixture(scope="module")
def undisturbed(store: HeatmapStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of `store` that nobody stopped."""
    from tests.samples.short_run import run

    out = tmp_path_factory.mktemp("undisturbed")
    run(store, out)
    return out


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch computes with one thread, so that equal runs are equal to the bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
