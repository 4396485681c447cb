"""A store behind nginx, as web servers are set up: it reads as on the disk, or is refused in one line."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache_tools.store.writer import HeatmapStore
from tests.samples.command_line import run_command
from tests.samples.nginx import WAYS, nginx
from tests.samples.small_build import arguments, small_job
from tests.samples.small_store import built, persons, spec_of, write

ROWS = 40
# each process would start a server
pytestmark = pytest.mark.xdist_group("nginx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a finished store, one that lacks its last shard, and one with a shard that is gone."""
    folder = tmp_path_factory.mktemp("served")
    built(folder / "whole.zarr", persons(ROWS))
    unfinished = HeatmapStore.create(folder / "unfinished.zarr", spec_of(persons(ROWS)), persons(ROWS))
    for shard in range(2):
        write(unfinished, shard)
    built(folder / "damaged.zarr", persons(ROWS))
    (folder / "damaged.zarr" / "heatmaps/c/1/0/0/0").unlink()
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the stores."""
    with nginx(tmp_path_factory.mktemp("nginx"), folder) as url:
        yield url


@pytest.mark.parametrize("way", WAYS)
def test_a_store_reads_alike(folder: Path, url: str, way: str) -> None:
    there, here = HeatmapStore.open(f"{url}/{way}/whole.zarr"), HeatmapStore.open(folder / "whole.zarr")
    rows = np.random.default_rng(0).permutation(ROWS)
    assert np.array_equal(there.read_codes(rows), here.read_codes(rows))
    assert there.read_crops(rows) == here.read_crops(rows)
    assert np.array_equal(there.read_crop_matrices(rows), here.read_crop_matrices(rows))
    assert there.read_receipt() == here.read_receipt()
    done = run_command("verify", f"{url}/{way}/whole.zarr")
    assert done.code == 0, done.stderr
    assert done.stdout == f"{url}/{way}/whole.zarr is whole\n"


FORBIDDEN = r"not allowed \(403 Forbidden\): ask for permission, or check the address; .*"
A_PAGE = "the server sends a web page in its place: it is not there, or the address needs a login"


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        *(
            (way, "there is no store at {url}: make one with `kdcache build`, .*")
            for way in ("plain", "no-ranges", "gzip")
        ),
        ("page-for-404", rf"{{url}}/zarr\.json is damaged: {A_PAGE}"),
        ("403-for-404", rf"{{url}}/zarr\.json: {FORBIDDEN}"),
    ],
)
def test_where_no_store_is_one_line_says_it(url: str, way: str, problem: str) -> None:
    done = run_command("info", f"{url}/{way}/none.zarr")
    assert done.code == 2
    assert re.fullmatch("error: " + problem.format(url=f"{url}/{way}/none.zarr"), done.stderr.rstrip("\n"))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_missing_is_named_by_verify(url: str, way: str) -> None:
    store = f"{url}/{way}/damaged.zarr"
    done = run_command("verify", store)
    if way == "403-for-404":
        assert done.code == 2
        assert re.fullmatch(rf"error: {store}/heatmaps/c/1/0/0/0: {FORBIDDEN}\n", done.stderr)
        return
    assert done.code == 1, done.stderr
    found = A_PAGE if way == "page-for-404" else "missing"
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"shard 1 (rows 16-31), heatmaps/c/1/0/0/0, rows 16-23, 24-31: {found};")
    assert lines[1:] == [f"{store}: 1 damaged places"]


@pytest.mark.parametrize("way", WAYS)
def test_a_store_that_is_not_finished_is_one_or_is_refused(url: str, way: str) -> None:
    store = f"{url}/{way}/unfinished.zarr"
    done = run_command("verify", store)
    expected = {"page-for-404": (1, A_PAGE), "403-for-404": (2, "not allowed")}.get(way, (1, "not built yet"))
    assert done.code == expected[0]
    line = (done.stderr or done.stdout).splitlines()[0]
    assert expected[1] in line
    assert "ledger/2.json" in line or "shard 2 (rows 32-39)" in line


def test_nothing_is_built_on_a_web_server(url: str, tmp_path: Path) -> None:
    job = replace(small_job(tmp_path), store=f"{url}/plain/new.zarr")
    done = run_command(*arguments(job))
    assert done.code == 2
    assert done.error == f"error: {job.store} can only be read: build into a local folder or s3:// and copy it there"
