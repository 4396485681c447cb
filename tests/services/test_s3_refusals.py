"""What S3 refuses is said in one line, each in its own, without a traceback, and nothing is left behind."""

import re
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from tests.samples.command_line import run_command
from tests.samples.seaweed import BUCKET, Seaweed
from tests.samples.small_build import arguments, content, small_job
from tests.samples.small_store import built, persons

URL = f"s3://{BUCKET}/refusals/store.zarr"


@pytest.fixture(scope="module")
def stored(s3: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Put a store at URL."""
    folder = tmp_path_factory.mktemp("stored") / "store.zarr"
    built(folder, persons(20))
    s3.put(URL, content(str(folder)))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "no credentials (Unable to locate credentials): state them as the storage's own tools take them",
        ),
        ({"AWS_PROFILE": "elsewhere"}, "no credentials (The config profile (elsewhere) could not be found)"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the storage does not accept these credentials (SignatureDoesNotMatch: "),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "the storage does not accept these credentials (InvalidAccessKeyId: "),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "no connection (Could not connect to the endpoint URL: "),
    ],
    ids=["none", "profile", "secret", "key", "port"],
)
def test_who_is_not_known_reads_nothing(
    changed: dict[str, str | None], problem: str, stored: None, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changed.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    done = run_command("verify", URL)
    assert done.code == 2
    assert done.stderr.startswith(f"error: {URL}/zarr.json: {problem}")
    assert done.stderr.count("\n") == 1


def test_a_public_store_needs_no_credentials(
    stored: None, s3: Seaweed, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = f"s3://{BUCKET}/public/store.zarr"
    s3.put(public, s3.content(URL))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # FSSPEC_S3_ANON of a shell, which fsspec reads when it is imported
    monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": "true"})
    assert run_command("verify", public).stdout == f"{public} is whole\n"
    done = run_command("verify", URL)
    assert done.code == 2
    assert done.stderr.startswith(f"error: {URL}/zarr.json: not allowed (AccessDenied: ")


def test_an_address_without_its_scheme_is_named(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9")
    done = run_command("info", s3_url)
    assert (done.code, done.stderr) == (2, f"error: {s3_url}: Invalid endpoint: 127.0.0.1:9\n")


def test_who_may_only_read_reads_and_does_not_build(
    stored: None, s3: Seaweed, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env("reader").items():
        monkeypatch.setenv(name, value)
    assert run_command("verify", URL).stdout == f"{URL} is whole\n"
    done = run_command(*arguments(replace(small_job(tmp_path), store=s3_url)))
    assert done.code == 2
    assert done.error.startswith(f"error: {s3_url}/.build-lock: not allowed (AccessDenied: Access Denied.): ask for")
    assert s3.keys(s3_url) == []


def test_a_bucket_that_is_not_there_is_named(s3_url: str, tmp_path: Path) -> None:
    job = replace(small_job(tmp_path), store="s3://elsewhere/store.zarr")
    done = run_command("info", job.store)
    assert done.code == 2
    assert done.error.startswith(f"error: there is no store at {job.store}: ")
    done = run_command(*arguments(job))
    assert done.code == 2
    assert re.match(rf"error: {job.store}/\.build-lock: there is no such bucket \(NoSuchBucket: ", done.error)
