"""Runs of somebody who means harm: nothing of run.json is fetched, loaded or written elsewhere."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.samples.command_line import run_command

Forge = Callable[[dict[str, Any]], object]


def options(**given: object) -> Forge:
    """Return a forgery that adds options of the backbone."""
    return lambda document: document["settings"]["model"]["backbone_options"].update(given)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


FORGERIES: dict[str, Forge] = {
    "a pickle to load": options(checkpoint_path="/tmp/evil.pth"),
    "an address to fetch": options(pretrained_cfg={"url": "http://127.0.0.1:1/evil.pth"}),
    "an overlay": options(pretrained_cfg_overlay={"file": "/tmp/evil.pth"}),
    "pretrained": options(pretrained=True),
    "a folder to write to": options(cache_dir="/tmp/evil"),
    "a script": options(scriptable=True),
    "a path as a layer": options(act_layer="../../evil"),
    "an address as a layer": options(norm_layer="http://127.0.0.1:1"),
    "a layer that there is not": options(act_layer="evil"),
    "a layer of a wrong kind": options(channels=["a", "b", "c", "d"]),
    "a width without end": options(stem_width=10**12),
    "a width that is no number": options(stem_width=float("inf")),
    "a list without end": options(channels=[8] * 100_000),
    "lists in lists": options(channels=nested(40)),
    "a hub's model": lambda d: d["settings"]["model"].update(backbone="timm:hf-hub:evil/evil"),
    "a folder's model": lambda d: d["settings"]["model"].update(backbone="timm:local-dir:/tmp/evil"),
    "an option that timm does not have": options(evil=1),
    "a name that leads out": lambda d: d.update(name="../../evil"),
    "a student's name that leads out": lambda d: d["settings"].update(name="../evil"),
    "a skeleton that is none": lambda d: d.update(skeleton={"names": nested(3)}),
}


@pytest.fixture
def forged(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def rewrite(run: Path, forge: Forge) -> None:
    document = json.loads((run / "run.json").read_text())
    forge(document)
    (run / "run.json").write_text(json.dumps(document))


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_run_ends_in_one_line(forged: Path, tmp_path: Path, kind: str) -> None:
    rewrite(forged, FORGERIES[kind])
    out = tmp_path / "out.onnx"
    ended = run_command("export", forged, "--out", out)
    assert ended.code == 2, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert len(ended.stderr) < 1500
    assert not out.exists()


def test_json_without_end_is_one_line(forged: Path) -> None:
    (forged / "run.json").write_text("[" * 100_000)
    ended = run_command("export", forged)
    assert (ended.code, ended.stderr.count("\n")) == (2, 1)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """Serve on the loopback; yield its address, and what is requested of it."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    requests.append(connection.recv(4096))

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/store", requests
        ended.set()
        thread.join()


def test_export_connects_to_nothing_that_run_json_names(
    forged: Path, tmp_path: Path, listener: tuple[str, list[bytes]]
) -> None:
    url, requests = listener
    stores = [{"store": url}, {"store": f"s3://{url}"}, {"store": ["a"]}, {}]
    rewrite(forged, lambda document: document.update(teachers=stores))
    ended = run_command("export", forged, "--out", tmp_path / "out.onnx", "--seconds", "0.01")
    assert ended.code == 0, ended.stderr
    assert f"run.json names the store {url}: give it as --store to connect to it" in ended.stderr
    assert "on 16 rendered persons" in ended.stdout
    assert requests == []
