"""nginx on the loopback, which serves one folder in the ways that web servers are set up."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

from tests.samples import server_process

#: a path of the server -> how it serves the folder
WAYS = {
    "plain": "",
    "no-ranges": "max_ranges 0;",
    "gzip": "gzip on; gzip_types *; gzip_min_length 1;",
    "page-for-404": "error_page 404 =200 /page.html;",
    "403-for-404": "error_page 404 =403 /page.html;",
}
PAGE = "<!doctype html><title>Sorry</title><p>Nothing is here."


@contextlib.contextmanager
def nginx(folder: Path, served: Path) -> Iterator[str]:
    """Serve a folder in each of `WAYS` during the block and yield the url above them; skip without nginx."""
    program = server_process.program("nginx", "apt-get install nginx-light")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.html").write_text(PAGE)
    processes = []

    def start(ports: list[int]) -> None:
        config = folder / "nginx.conf"
        config.write_text(_config(folder, served, ports[0]))
        command = [program, "-p", str(folder), "-c", str(config), "-e", "stderr"]
        processes.append(server_process.start(command, folder / "nginx.log", lambda: _answers(ports[0])))
        ports_in_use[:] = ports

    ports_in_use: list[int] = []
    try:
        server_process.start_on_free_ports(start, 1)
        yield f"http://127.0.0.1:{ports_in_use[0]}"
    finally:
        for process in processes:
            server_process.stop(process)


def _config(folder: Path, served: Path, port: int) -> str:
    locations = "\n".join(f"location /{name}/ {{ alias {served}/; {how} }}" for name, how in WAYS.items())
    paths = "\n".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # root drops its rights for the workers of a master process, and those could not read a test's folder
    return f"""
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {paths}
    server {{
        listen 127.0.0.1:{port};
        {locations}
        location = /page.html {{ root {folder}; default_type text/html; }}
    }}
}}
"""


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/page.html")
        return connection.getresponse().read() == PAGE.encode()
    except OSError:
        return False
    finally:
        connection.close()
