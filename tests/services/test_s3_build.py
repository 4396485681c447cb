"""Builds on a real S3 server: what they leave is a local store, object for object, also after the worst of ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from cache_tools.store.objects import Objects
from pipeline.building.build import build
from pipeline.building.job import BuildJob
from tests.samples.command_line import run_command
from tests.samples.seaweed import Seaweed
from tests.samples.small_build import arguments, content, run_build, slow, small_job

WAIT_SECONDS = 200.0
# several of these waits
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> BuildJob:
    """Build a small store on the disk and return its job."""
    job = small_job(tmp_path_factory.mktemp("local"))
    build(job)
    return job


def wait_for_shard(s3: Seaweed, url: str, process: Popen[str]) -> None:
    """Wait until a shard is done."""
    end = time.monotonic() + WAIT_SECONDS
    while not any(key.startswith("ledger/") for key in s3.keys(url)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "no shard was finished"
        time.sleep(0.1)


def finish(job: BuildJob, *more: str) -> None:
    """Run a build to its end."""
    done = run_command(*arguments(job, *more))
    assert done.code == 0, done.stderr


def test_a_store_on_s3_is_that_on_a_disk(local: BuildJob, s3: Seaweed, s3_url: str) -> None:
    finish(replace(local, store=s3_url))
    assert s3.content(s3_url) == content(local.store)
    # once more: nothing to be done
    finish(replace(local, store=s3_url))
    assert s3.content(s3_url) == content(local.store)


def test_a_killed_build_continues(local: BuildJob, s3: Seaweed, s3_url: str) -> None:
    job = slow(replace(local, store=s3_url), 0.2)
    with run_build(job) as process:
        wait_for_shard(s3, s3_url, process)
        process.kill()
        process.communicate()
    left = s3.keys(s3_url)
    assert "receipt.json" not in left
    assert ".build-lock" in left
    finish(replace(local, store=s3_url))
    assert s3.content(s3_url) == content(local.store)


def test_a_build_survives_the_death_of_the_server(local: BuildJob, s3: Seaweed, s3_url: str) -> None:
    with run_build(slow(replace(local, store=s3_url), 0.2)) as process:
        wait_for_shard(s3, s3_url, process)
        s3.kill()
        s3.restart()
        _, errors = process.communicate(timeout=WAIT_SECONDS)
    if process.returncode != 0:
        # the server took longer to start than the build waits for
        assert process.returncode == 2, errors
        assert errors.splitlines()[-1].startswith(f"error: {s3_url}/")
        finish(replace(local, store=s3_url))
    assert s3.content(s3_url) == content(local.store)


def test_two_workers_write_the_same(local: BuildJob, s3: Seaweed, s3_url: str) -> None:
    with run_build(replace(local, store=s3_url), "--workers", "2") as process:
        _, errors = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, errors
    assert s3.content(s3_url) == content(local.store)


def test_parts_are_merged(local: BuildJob, s3: Seaweed, s3_url: str, tmp_path: Path) -> None:
    for where in (s3_url, str(tmp_path / "store.zarr")):
        parts = [f"{where}.{index}" for index in (1, 2)]
        for index, part in enumerate(parts, 1):
            finish(replace(local, store=part), "--part", f"{index}/2")
        done = run_command("merge", *parts, "--out", where)
        assert done.code == 0, done.stderr
    assert s3.content(s3_url) == content(str(tmp_path / "store.zarr"))
    assert s3.content(f"{s3_url}.2") == content(str(tmp_path / "store.zarr.2"))


def test_damage_is_named_and_repaired(
    local: BuildJob, s3: Seaweed, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # by somebody who may not list
    for name, value in s3.env("builder").items():
        monkeypatch.setenv(name, value)
    whole = content(local.store)
    maps, crops = "heatmaps/c/1/0/0/0", "crops/packed/2/c/0"
    flipped = bytearray(whole[maps])
    flipped[len(flipped) // 2] ^= 1
    s3.put(s3_url, whole | {maps: bytes(flipped)})
    s3.remove(s3_url, crops)
    done = run_command("verify", s3_url, "--forget-damaged")
    assert done.code == 1, done.stderr
    named = [line.partition(":")[0].split(", ")[:2] for line in done.stdout.splitlines()]
    assert named[:2] == [["shard 1 (rows 16-31)", maps], ["shard 2 (rows 32-43)", crops]]
    assert "shards removed from the ledger: [1, 2]; run the same `kdcache build` again" in done.stdout
    finish(replace(local, store=s3_url))
    assert s3.content(s3_url) == whole
    assert run_command("verify", s3_url).stdout == f"{s3_url} is whole\n"


def test_of_creators_one_succeeds(s3_url: str) -> None:
    objects = Objects(s3_url, write=True)

    def create(index: int) -> int | None:
        try:
            objects.create("root", b"%d" % index)
        except FileExistsError:
            return None
        return index

    with ThreadPoolExecutor(8) as threads:
        succeeded = [index for index in threads.map(create, range(8)) if index is not None]
    assert len(succeeded) == 1
    assert objects.get("root") == b"%d" % succeeded[0]
