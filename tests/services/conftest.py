"""Servers for the tests of this folder, each started once; the tests of one share a process."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.seaweed import BUCKET, Seaweed, seaweed

#: fixture -> the group of the tests that use it
GROUPS = {"s3": "s3"}


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
def s3_url(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the url of a store that does not exist yet; commands find the server by the variables of a shell."""
    import s3fs

    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    # connections are kept by address and would keep their identity
    s3fs.S3FileSystem.clear_instance_cache()
    return f"s3://{BUCKET}/{uuid.uuid4().hex}/store.zarr"
