"""Stores on a real S3 server: what `kdcache build` and `merge` leave there is a local store, object for object."""

from dataclasses import replace

import pytest

from pipeline.building.build import build
from pipeline.building.job import BuildJob
from tests.samples.command_line import run_command
from tests.samples.seaweed import Seaweed
from tests.samples.small_build import arguments, content, small_job


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> BuildJob:
    """Build a small store on the disk and return its job."""
    job = small_job(tmp_path_factory.mktemp("local"))
    build(job)
    return job


def test_a_store_on_s3_is_that_on_a_disk(local: BuildJob, s3: Seaweed, s3_url: str) -> None:
    done = run_command(*arguments(replace(local, store=s3_url)))
    assert done.code == 0, done.stderr
    assert s3.content(s3_url) == content(local.store)
