"""Fixtures and settings of all tests: the real data, a drawn store, a short run, hypothesis, tests that need a GPU."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cache_tools.store.writer import HeatmapStore

HERE = Path(__file__).parent
#: the groups of tests that take longest, the longest first
LONGEST = [
    "workflow", "slurm", "browser, photos", "browser", "dask", "s3",
    "tinypose", "pipeline/building/test_cluster.py",
    "training processes", "student/export/test_onnx.py",
    "student/models/test_student.py", "pipeline/building/test_build.py",
    "commands/test_cases.py", "commands/test_ten_joints.py", "commands/test_hostile_stores.py",
]  # fmt: skip

# Examples are timed against a deadline by default; on a busy machine an example that is only slow would fail.
settings.register_profile("kdcache", deadline=None)
settings.load_profile("kdcache")
# `make fuzz` asks for it by --hypothesis-profile
settings.register_profile("fuzz", deadline=None, max_examples=20_000)


# before xdist, which looks for groups in the same hook
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prepare all tests: skip those that need a GPU, and share them out among processes."""
    skip_without_gpu(items)
    order_groups(items)


def skip_without_gpu(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` where there is no CUDA device; torch is imported only when there are such tests."""
    gpu_tests = [item for item in items if item.get_closest_marker("gpu") is not None]
    if not gpu_tests:
        return
    import torch

    if torch.cuda.is_available():
        for item in gpu_tests:
            # set_sync_debug_mode warns that it is a prototype
            item.add_marker(pytest.mark.filterwarnings("default"))
        return
    skip = pytest.mark.skip(reason="needs a CUDA device: torch.cuda.is_available() is False on this machine")
    for item in gpu_tests:
        item.add_marker(skip)


def order_groups(items: list[pytest.Item]) -> None:
    """Group the tests of each file and put the longest groups first; each group is run by one process.

    The tests of a file share fixtures, which each process would make again; and a long group that began last would
    leave the other processes without work.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(HERE).as_posix()))
    rank = {group: number for number, group in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(group_of(item), len(LONGEST)))


def group_of(item: pytest.Item) -> str:
    """Return the name of a test's group."""
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    return str(marker.args[0])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with `coco/` and `teachers/`: KDCACHE_TEST_DATA, or ../shared/data beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KDCACHE_TEST_DATA", default))
    if not (folder / "coco").is_dir():
        pytest.skip(f"no test data at {folder}: set KDCACHE_TEST_DATA to the folder that holds coco/ and teachers/")
    return folder


@pytest.fixture(scope="session")
def shared_cases(shared_data: Path) -> Path:
    """Return the folder of small inputs as people have them: `cases`, beside the test data."""
    folder = shared_data.parent / "cases"
    if not (folder / "base" / "val.json").is_file():
        pytest.skip(f"no cases at {folder}: set KDCACHE_TEST_DATA to a folder that has cases/ beside it")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    """Write a store of drawn persons, for runs of a few steps."""
    from tests.samples.drawn_store import draw_photos, write_store
    from tests.samples.short_run import ROWS

    folder = tmp_path_factory.mktemp("data")
    return write_store(folder / "a.zarr", folder / "photos", draw_photos(folder / "photos", ROWS))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a finished run of a small student with random weights and return its folder."""
    from tests.samples.small_run import write_run

    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(store: HeatmapStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on `store` without an interruption and return the run's folder."""
    from tests.samples.short_run import run

    out = tmp_path_factory.mktemp("undisturbed")
    run(store, out)
    return out


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: equal runs are then equal to the bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
