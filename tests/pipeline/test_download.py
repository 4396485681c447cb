"""Downloads against a server on the loopback that cuts connections, ignores ranges and sends the wrong thing."""

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.folder_lock import folder_lock
from pipeline.commands.download import command
from pipeline.download import Archive, RemoteFile, download_coco, download_detections, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves `files`; sends at most `cut` bytes an answer, then drops the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: int | None = None
        self.ranges = True
        #: names of files that are sent in chunks without an end
        self.endless: set[str] = set()
        self.bytes_sent = 0
        #: status, first byte
        self.answers: list[tuple[int, int]] = []

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path[1:])
        if content is None:
            self.send_error(404)
            return
        requested = self.headers.get("Range") if self.server.ranges else None
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested else 0
        self.server.answers.append((206 if requested else 200, start))
        if self.path[1:] in self.server.endless:
            self.send_chunks()
            return
        self.send_response(206 if requested else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) if self.server.cut is None else start + self.server.cut
        # shorter than announced: the client sees the connection end
        self.wfile.write(content[start:stop])

    def send_chunks(self) -> None:
        """Send chunks until the client closes the connection."""
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        while True:
            try:
                self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            except OSError:
                return
            self.server.bytes_sent += 0x10000

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def remote(server: Server, name: str = "file", content: bytes = CONTENT) -> RemoteFile:
    server.files[name] = content
    return RemoteFile(
        name=name,
        urls=(server.address(name),),
        size=len(content),
        algorithm="md5",
        digest=hashlib.md5(content).hexdigest(),
    )


def test_a_connection_that_is_cut_is_resumed_where_it_stopped(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    server.cut = 100_000
    assert fetch(wanted, tmp_path / "file", wait=0).read_bytes() == CONTENT
    assert server.answers == [(200, 0), (206, 100_000), (206, 200_000)]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_killed_download_goes_on_from_its_part(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    (tmp_path / "file.part").write_bytes(CONTENT[:123_456])
    fetch(wanted, tmp_path / "file", wait=0)
    assert server.answers == [(206, 123_456)]
    fetch(wanted, tmp_path / "file", wait=0)
    # nothing to do the second time
    assert len(server.answers) == 1


def test_a_server_without_ranges_is_read_from_the_start(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    server.ranges = False
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    assert fetch(wanted, tmp_path / "file", wait=0).read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_removed(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    server.files["file"] = CONTENT[:-1] + b"?"
    with pytest.raises(ValueError, match=r"do not have the md5 .* expected"):
        fetch(wanted, tmp_path / "file", wait=0)
    assert not list(tmp_path.iterdir())


def test_a_file_of_the_right_size_but_other_bytes_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    (tmp_path / "file").write_bytes(CONTENT[:-1] + b"?")
    assert fetch(wanted, tmp_path / "file", wait=0).read_bytes() == CONTENT
    assert server.answers == [(200, 0)]


def test_a_page_instead_of_the_file_is_recognised_by_its_size(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    server.files["file"] = b"<html>sign in</html>"
    with pytest.raises(OSError, match="20 bytes, 300000 expected"):
        fetch(wanted, tmp_path / "file", wait=0)


def test_a_second_address_is_used_when_the_first_has_nothing(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    twice = replace(wanted, urls=(server.address("gone"), *wanted.urls))
    assert fetch(twice, tmp_path / "file", wait=0).read_bytes() == CONTENT


def test_an_answer_without_an_end_is_stopped_at_the_size_that_is_known(server: Server, tmp_path: Path) -> None:
    endless = remote(server, "endless")
    server.endless.add("endless")
    with pytest.raises(OSError, match=r"0 of 300000 bytes \(.*/endless: ValueError: sends more than 300000 bytes"):
        fetch(endless, tmp_path / "endless", wait=0)
    # what fits into the buffers of a connection
    assert server.bytes_sent < 2**25
    assert (tmp_path / "endless.part").stat().st_size == 0
    # another address has the file
    wanted = remote(server)
    both = replace(wanted, urls=(*endless.urls, *wanted.urls))
    assert fetch(both, tmp_path / "file", wait=0).read_bytes() == CONTENT


def test_an_address_that_never_answers_ends_with_what_to_do(tmp_path: Path) -> None:
    nowhere = RemoteFile(name="file", urls=("http://127.0.0.1:9/file",), size=10, algorithm="md5", digest="")
    with pytest.raises(OSError, match=r"0 of 10 bytes .*Run the same command again"):
        fetch(nowhere, tmp_path / "file", wait=0)


def packed(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        for name in names:
            content.writestr(name, name * 100)
    return buffer.getvalue()


def archive(server: Server, folder: str, names: list[str], members: tuple[str, ...] = (), count: int = 3) -> Archive:
    content = packed(names)
    file = remote(server, f"{folder}.zip", content)
    return Archive(**asdict(file), folder=folder, members=members, count=count)


def test_coco_is_unpacked_whole_and_only_once(server: Server, tmp_path: Path) -> None:
    photos = archive(server, "val2017", [f"val2017/{i}.jpg" for i in range(3)])
    labels = archive(server, "annotations", ["annotations/a.json", "annotations/b.json"], ("a.json",), 1)
    folders = download_coco(tmp_path, (labels, photos))
    assert folders == [tmp_path / "annotations", tmp_path / "val2017"]
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"annotations/a.json", "val2017/0.jpg", "val2017/1.jpg", "val2017/2.jpg"}
    assert (tmp_path / "val2017/1.jpg").read_text() == "val2017/1.jpg" * 100
    answers = len(server.answers)
    download_coco(tmp_path, (labels, photos))
    assert len(server.answers) == answers


def test_the_command_leaves_a_receipt(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = archive(server, "val2017", [f"val2017/{i}.jpg" for i in range(3)])
    monkeypatch.setattr("pipeline.download.download_coco", partial(download_coco, archives=(photos,)))
    arguments = ["coco", str(tmp_path / "data"), "--receipt", str(tmp_path / "receipt.json")]
    for _ in range(2):
        assert CliRunner().invoke(command, arguments).exit_code == 0
        paths = json.loads((tmp_path / "receipt.json").read_text())["paths"]
        assert paths == [str(tmp_path / "data/val2017")]
        (tmp_path / "receipt.json").unlink()
    # the second run found everything
    assert len(server.answers) == 1


def test_a_half_unpacked_folder_does_not_count(server: Server, tmp_path: Path) -> None:
    photos = archive(server, "val2017", [f"val2017/{i}.jpg" for i in range(3)])
    (tmp_path / ".val2017.part").mkdir()
    (tmp_path / ".val2017.part" / "stale.jpg").write_text("left by a killed run")
    download_coco(tmp_path, (photos,), keep=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["val2017", "val2017.zip"]
    assert len(list((tmp_path / "val2017").iterdir())) == 3


def test_files_join_a_folder_that_holds_others(server: Server, tmp_path: Path) -> None:
    labels = archive(server, "annotations", ["annotations/a.json", "annotations/b.json"], ("a.json",), 1)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "mine.json").write_text("{}")
    download_coco(tmp_path, (labels,))
    assert sorted(path.name for path in (tmp_path / "annotations").iterdir()) == ["a.json", "mine.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["annotations"]


def test_a_damaged_zip_file_is_named(server: Server, tmp_path: Path) -> None:
    broken = remote(server, "val2017.zip", b"no zip file")
    photos = Archive(**asdict(broken), folder="val2017", count=1)
    with pytest.raises(ValueError, match=r"val2017\.zip is damaged .* download it again"):
        download_coco(tmp_path, (photos,))
    assert not (tmp_path / "val2017").exists()


def test_a_part_that_is_larger_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    wanted = remote(server)
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    assert fetch(wanted, tmp_path / "file", wait=0).read_bytes() == CONTENT
    assert server.answers == [(200, 0)]


def test_an_archive_with_photos_missing_is_refused(server: Server, tmp_path: Path) -> None:
    photos = archive(server, "val2017", ["val2017/0.jpg"])
    with pytest.raises(ValueError, match=r"holds 1 .* expected 3"):
        download_coco(tmp_path, (photos,))
    assert not (tmp_path / "val2017").exists()


def test_too_little_space_is_reported_before_the_first_byte(server: Server, tmp_path: Path) -> None:
    huge = replace(archive(server, "val2017", []), size=10**18)
    with pytest.raises(OSError, match="are needed"):
        download_coco(tmp_path, (huge,))
    assert not server.answers


def test_of_two_downloads_of_a_file_the_second_is_refused(server: Server, tmp_path: Path) -> None:
    with (
        folder_lock(tmp_path, ".file.lock", "being filled with file"),
        pytest.raises(BlockingIOError, match=r"is being filled with file by another process"),
    ):
        download_detections(tmp_path, remote(server))
    assert download_detections(tmp_path, remote(server)).read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file"]
