"""Programs that start at once, for all tests of workflows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.forked_programs import forked_programs


# before xdist, which looks for groups in the same hook
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that use the programs, because each process would start its own server of them."""
    for item in items:
        if "programs" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("workflow"))


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a `snakemake` and a `kdcache` that start at once."""
    with forked_programs(tmp_path_factory.mktemp("programs")) as folder:
        yield folder
