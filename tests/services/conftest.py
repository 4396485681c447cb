"""Servers for the tests of this folder, each started once; the tests of one share a process."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from zarr.core.sync import sync

from tests.samples.seaweed import BUCKET, Seaweed, seaweed

#: fixture -> the group of the tests that use it
GROUPS = {"s3": "s3", "dask": "dask", "slurm": "slurm"}


# before xdist, which looks for groups in the same hook
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and group those of one server, because each process would start its own."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.service)
        for fixture in GROUPS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(GROUPS[fixture]))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """Start an S3 server."""
    with seaweed(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_url(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the url of a store that does not exist yet; commands find the server by the variables of a shell."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    yield f"s3://{BUCKET}/{uuid.uuid4().hex}/store.zarr"
    close_connections()


def close_connections() -> None:
    """Close what s3fs keeps open: it keeps connections by address, and they keep their identity."""
    from s3fs import S3FileSystem

    async def close(filesystem: S3FileSystem) -> None:
        await (await filesystem.set_session()).close()

    for filesystem in S3FileSystem._cache.values():
        # nothing was opened, or it could not be
        if filesystem._s3 is not None:
            sync(close(filesystem))
    S3FileSystem.clear_instance_cache()
