"""A store behind a flaky server: what passes is tried again, what stays ends in one line with url and key."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cache_tools.store import remote_objects
from cache_tools.store.remote_objects import explain
from cache_tools.store.writer import HeatmapStore

pytest.importorskip("aiohttp", reason="http:// needs aiohttp: pip install 'kdcache[cloud]'")
ROWS = 40
Fault = Callable[[SimpleHTTPRequestHandler], None]


class Flaky(SimpleHTTPRequestHandler):
    """Serves a folder; the first `failures` requests for each path end in a fault."""

    fault: Fault | None = None
    failures = 0
    seen: dict[str, int]

    def do_GET(self) -> None:
        """Serve a file, or fail."""
        count = self.seen[self.path] = self.seen.get(self.path, 0) + 1
        if self.fault is not None and count <= self.failures:
            type(self).fault(self)  # type: ignore[misc]
        else:
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing."""


def answer(status: int) -> Fault:
    """Return a fault that answers with a status."""
    return lambda request: request.send_error(status)


def drop(request: SimpleHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    request.close_connection = True
    request.connection.close()


def truncate(request: SimpleHTTPRequestHandler) -> None:
    """Promise a hundred bytes, send ten."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"0123456789")
    request.close_connection = True


@pytest.fixture
def serve(finished_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fault, int], str]]:
    """Return a function that serves the store with a fault and returns its url."""
    monkeypatch.setattr(remote_objects, "WAIT_SECONDS", (0.01, 0.02))
    servers = []

    def start(fault: Fault, failures: int) -> str:
        handler = type("Handler", (Flaky,), {"fault": staticmethod(fault), "failures": failures, "seen": {}})
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(finished_store)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


FAULTS = {"503": answer(503), "500": answer(500), "429": answer(429), "drop": drop, "truncate": truncate}


@pytest.mark.parametrize("name", FAULTS)
def test_what_passes_is_tried_again(serve: Callable[..., str], finished_store: Path, name: str) -> None:
    store = HeatmapStore.open(serve(FAULTS[name], 2))
    here, rows = HeatmapStore.open(finished_store), np.arange(ROWS)
    assert np.array_equal(store.read_codes(rows), here.read_codes(rows))
    assert store.read_crops(rows) == here.read_crops(rows)
    assert store.is_finished()


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
def test_what_stays_is_one_line_with_url_and_key(serve: Callable[..., str], fault: Fault, problem: str) -> None:
    url = serve(fault, 10**9)
    with pytest.raises(OSError, match=rf"^{url}/zarr\.json: {problem}") as raised:
        HeatmapStore.open(url)
    assert "\n" not in str(raised.value)


def test_a_refused_connection_is_said_at_once(serve: Callable[..., str]) -> None:
    start = time.monotonic()
    with pytest.raises(OSError, match=r"http://127\.0\.0\.1:9/a/zarr\.json: no connection"):
        HeatmapStore.open("http://127.0.0.1:9/a")
    assert time.monotonic() - start < 5


def test_what_is_not_there_is_not_tried_again(serve: Callable[..., str]) -> None:
    url = serve(answer(404), 10**9)
    with pytest.raises(FileNotFoundError, match=f"there is no store at {url}"):
        HeatmapStore.open(url)


@pytest.mark.parametrize(
    ("name", "text", "expected", "passes"),
    [
        ("NoCredentialsError", "Unable to locate credentials", "no credentials", False),
        ("EndpointConnectionError", "Could not connect to the endpoint", "no connection", False),
        ("ReadTimeoutError", "Read timeout on endpoint", "the connection failed", True),
        ("ClientError", "An error occurred (SignatureDoesNotMatch)", "does not accept these credentials", False),
        ("PermissionError", "Access Denied", "not allowed", False),
        ("ClientError", "An error occurred (503): Slow Down", "ClientError", True),
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


def test_of_creators_on_other_storage_the_second_is_refused(tmp_path: Path) -> None:
    objects = remote_objects.RemoteObjects(f"memory://{tmp_path}", write=True)
    objects.create("a", b"first")
    with pytest.raises(FileExistsError):
        objects.create("a", b"second")
    assert objects.get("a") == b"first"
    # a try that failed after it had written
    objects.create("a", b"first")
