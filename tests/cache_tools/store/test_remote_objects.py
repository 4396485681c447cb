"""A store behind a flaky server: what passes is tried again, what stays ends in one line with url and key."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cache_tools.store import http_reading, remote_objects
from cache_tools.store.objects import Objects
from cache_tools.store.remote_errors import explain
from cache_tools.store.sealed_json import fingerprint
from cache_tools.store.writer import HeatmapStore
from tests.samples.flaky_server import Fault, FlakyServer, answer, drop, endless, hold, trickle, truncate

pytest.importorskip("aiohttp", reason="http:// needs aiohttp: pip install 'kdcache[cloud]'")
ROWS = 40
ROOT = "/zarr.json"


@pytest.fixture
def serve(finished_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FlakyServer]]:
    """Return a function that serves the store, with a fault in the first answers for each path."""
    monkeypatch.setattr(remote_objects, "WAIT_SECONDS", (0.01, 0.02))
    servers = []

    def start(fault: Fault | None = None, failures: int = 0, only: str | None = None) -> FlakyServer:
        servers.append(FlakyServer(finished_store, fault, failures, only))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


FAULTS = {"503": answer(503), "500": answer(500), "429": answer(429), "drop": drop, "truncate": truncate}


@pytest.mark.parametrize("name", FAULTS)
def test_what_passes_is_tried_again(serve: Callable[..., FlakyServer], finished_store: Path, name: str) -> None:
    server = serve(FAULTS[name], 2)
    store = HeatmapStore.open(server.url)
    here, rows = HeatmapStore.open(finished_store), np.arange(ROWS)
    assert np.array_equal(store.read_codes(rows), here.read_codes(rows))
    assert store.read_crops(rows) == here.read_crops(rows)
    assert store.is_finished()
    assert min(server.seen.values()) > 2


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (answer(503), "the server answers 503 .*, after 3 tries"),
        (drop, "the connection failed .*, after 3 tries"),
        (truncate, "the connection failed .*, after 3 tries"),
        (answer(403), "not allowed"),
        (answer(401), "not allowed"),
    ],
)
def test_what_stays_is_one_line_with_url_and_key(serve: Callable[..., FlakyServer], fault: Fault, problem: str) -> None:
    url = serve(fault, 10**9).url
    with pytest.raises(OSError, match=rf"^{url}/zarr\.json: {problem}") as raised:
        HeatmapStore.open(url)
    assert "\n" not in str(raised.value)


def test_a_silent_server_is_asked_again(
    serve: Callable[..., FlakyServer], finished_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reading, "SILENCE_TIMEOUT", 3.0)
    server = serve(hold, 1, only=ROOT)
    assert HeatmapStore.open(server.url).is_finished()
    assert server.seen[ROOT] == 2


def test_a_slow_server_is_waited_for(serve: Callable[..., FlakyServer], finished_store: Path) -> None:
    server = serve(trickle, 10**9)
    assert Objects(server.url).get("zarr.json") == (finished_store / "zarr.json").read_bytes()
    assert server.seen == {ROOT: 1}


def test_an_endless_answer_is_stopped_at_the_size_that_is_expected(serve: Callable[..., FlakyServer]) -> None:
    server = serve(endless, 10**9)
    objects = Objects(server.url)
    with pytest.raises(ValueError, match=rf"^{server.url}/a is damaged: more than 1000 bytes: expected at most 1000$"):
        objects.get("a", 1000)
    assert objects.fingerprint("b", 1000) == fingerprint(b"7" * 1001)
    # the server ignores ranges: what lies before is read and dropped
    assert objects.get_ranges("c", [(0, 10), (5000, 3)]) == [b"7" * 10, b"777"]
    # what it could write into the buffers of four connections
    assert server.bytes_sent < 2**26
    with pytest.raises(ValueError, match=r"zarr\.json is damaged: more than 33554432 bytes"):
        HeatmapStore.open(server.url)


@pytest.mark.parametrize("ranges", [[(0, 10)], [(3, 10**6), (7, 1)], [(10**9, 5)]])
def test_a_server_that_ignores_ranges_gives_the_same(
    serve: Callable[..., FlakyServer], finished_store: Path, ranges: list[tuple[int, int]]
) -> None:
    there, here = Objects(serve().url), Objects(finished_store)
    assert there.get_ranges("zarr.json", ranges) == here.get_ranges("zarr.json", ranges)


def test_a_refused_connection_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_objects, "time", SimpleNamespace(sleep=lambda seconds: pytest.fail("it waited")))
    with pytest.raises(OSError, match=r"http://127\.0\.0\.1:9/a/zarr\.json: no connection"):
        HeatmapStore.open("http://127.0.0.1:9/a")


def test_a_server_that_starts_again_is_waited_for(
    serve: Callable[..., FlakyServer], finished_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, waits = serve(), []
    objects = Objects(server.url)
    assert objects.get("missing") is None
    server.stop()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            server.start()

    monkeypatch.setattr(remote_objects, "time", SimpleNamespace(sleep=wait))
    assert objects.get("zarr.json") == (finished_store / "zarr.json").read_bytes()
    assert len(waits) == 2
    server.stop()
    waits.clear()
    monkeypatch.setattr(remote_objects, "WAIT_SECONDS", (0.01,))
    with pytest.raises(OSError, match=r"zarr\.json: no connection \(.*, after 2 tries$"):
        objects.get("zarr.json")


def test_what_is_not_there_is_not_tried_again(serve: Callable[..., FlakyServer]) -> None:
    server = serve(answer(404), 10**9)
    with pytest.raises(FileNotFoundError, match=f"there is no store at {server.url}"):
        HeatmapStore.open(server.url)
    assert server.seen == {ROOT: 1}


@pytest.mark.parametrize(
    ("name", "text", "expected", "passes"),
    [
        ("NoCredentialsError", "Unable to locate credentials", "no credentials", False),
        ("EndpointConnectionError", "Could not connect to the endpoint", "no connection", False),
        ("ReadTimeoutError", "Read timeout on endpoint", "the connection failed", True),
        ("ClientError", "An error occurred (SignatureDoesNotMatch)", "does not accept these credentials", False),
        ("PermissionError", "Access Denied", "not allowed", False),
        ("ClientError", "An error occurred (503): Slow Down", "ClientError", True),
        ("Unknown", "Got HTTP status 502 of the gateway", "Unknown", True),
        ("Unknown", "expected 4096 bytes at 503, found 500", "Unknown", False),
        ("Unknown", "something\nin two lines", "Unknown: something in two lines", False),
    ],
)
def test_errors_of_libraries_that_are_not_installed_are_known_by_name(
    name: str, text: str, expected: str, passes: bool
) -> None:
    problem, may_pass = explain(type(name, (Exception,), {})(text))
    assert expected in problem
    assert "\n" not in problem
    assert may_pass == passes


@pytest.mark.parametrize(
    ("code", "status", "expected", "passes"),
    [
        ("SlowDown", 503, "the server answers 503 (SlowDown: ...)", True),
        ("InternalError", 500, "the server answers 500 (InternalError: ...)", True),
        ("RequestTimeout", 400, "the server answers 400 (RequestTimeout: ...)", True),
        ("InvalidAccessKeyId", 403, "the storage does not accept these credentials (InvalidAccessKeyId: ...)", False),
        ("ExpiredToken", 400, "the storage does not accept these credentials (ExpiredToken: ...)", False),
        ("NoSuchBucket", 404, "there is no such bucket (NoSuchBucket: ...): make it first", False),
        ("AccessDenied", 403, "not allowed (AccessDenied: ...): ask for permission", False),
        ("403", 403, "not allowed (403 ...): ask for permission", False),
    ],
)
def test_what_s3_answers_is_known_by_its_code(code: str, status: int, expected: str, passes: bool) -> None:
    answer = Exception("of botocore")
    answer.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}  # type: ignore[attr-defined]
    translated = OSError("...")
    translated.__cause__ = answer
    problem, may_pass = explain(translated)
    assert problem.startswith(expected)
    assert may_pass == passes


def test_of_creators_on_other_storage_the_second_is_refused(tmp_path: Path) -> None:
    objects = remote_objects.RemoteObjects(f"memory://{tmp_path}", write=True)
    objects.create("a", b"first")
    with pytest.raises(FileExistsError):
        objects.create("a", b"second")
    assert objects.get("a", 100) == b"first"
    # a try that failed after it had written
    objects.create("a", b"first")
