"""A web server of a folder whose first answers for each path end in a fault."""

import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[["Request"], None]


class FlakyServer:
    """A server on the loopback, in a thread, that can be stopped and started again on its port."""

    def __init__(self, folder: Path, fault: Fault | None, failures: int, only: str | None = None) -> None:
        """Serve a folder; the first `failures` requests for each path, or for the path `only`, end in a fault."""
        self.folder, self.fault, self.failures, self.only = folder, fault, failures, only
        self.seen: dict[str, int] = {}
        #: of the bodies of `endless`
        self.bytes_sent = 0
        self.stopped = threading.Event()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self.stopped.clear()
        handler = partial(Request, flaky=self, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Request(SimpleHTTPRequestHandler):
    """Serves a file, or fails."""

    def __init__(self, *arguments: object, flaky: FlakyServer, directory: str) -> None:
        """Answer a request; the base class does it here."""
        self.flaky = flaky
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer."""
        flaky = self.flaky
        count = flaky.seen[self.path] = flaky.seen.get(self.path, 0) + 1
        if flaky.fault is not None and count <= flaky.failures and flaky.only in (None, self.path):
            flaky.fault(self)
        else:
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing."""


def answer(status: int) -> Fault:
    """Return a fault that answers with a status."""
    return lambda request: request.send_error(status)


def drop(request: Request) -> None:
    """Close the connection without an answer."""
    request.close_connection = True
    request.connection.close()


def truncate(request: Request) -> None:
    """Promise a hundred bytes, send ten."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"0123456789")
    request.close_connection = True


def hold(request: Request) -> None:
    """Send nothing until the server stops."""
    request.flaky.stopped.wait()
    request.close_connection = True


def trickle(request: Request) -> None:
    """Send the file in small parts with pauses."""
    data = (request.flaky.folder / request.path.lstrip("/")).read_bytes()
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    step = max(len(data) // 5, 1)
    for start in range(0, len(data), step):
        request.flaky.stopped.wait(0.05)
        request.wfile.write(data[start : start + step])
        request.wfile.flush()


def endless(request: Request) -> None:
    """Send chunks as long as anybody reads them, as a file of unknown length."""
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.close_connection = True
    chunk = b"7" * 2**16
    while not request.flaky.stopped.is_set():
        try:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        except OSError:
            return
        request.flaky.bytes_sent += len(chunk)
