"""Files are written whole or not at all."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cache_tools.files import (
    create_bytes,
    remove_temporaries,
    replacing,
    sync_tree,
    write_bytes,
    write_json,
    write_text,
)


def test_a_file_appears_at_the_end_of_the_block_and_keeps_its_suffix(tmp_path: Path) -> None:
    target = tmp_path / "new" / "chart.svg"
    with replacing(target) as temporary:
        assert temporary.suffix == ".svg"
        temporary.write_text("<svg/>")
        assert not target.exists()
    assert target.read_text() == "<svg/>"
    assert os.listdir(target.parent) == ["chart.svg"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.md"
    write_text(target, "old")

    def interrupted() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.md"]


def test_json_refuses_what_json_has_no_word_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "metrics.json", {"AP": float("nan")})
    assert not list(tmp_path.iterdir())


def test_temporaries_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".0.ab12.partial").touch()
    (tmp_path / "a" / ".chart.ab12.partial.svg").touch()
    (tmp_path / "a" / "kept.partial.svg").touch()
    remove_temporaries(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["kept.partial.svg"]


def test_many_files_are_fsynced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    fsync = os.fsync

    def recorded(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    write_bytes(tmp_path / "set/train/1.jpg", b"one", durable=False)
    write_bytes(tmp_path / "set/train/2.jpg", b"two", durable=False)
    assert (tmp_path / "set/train/2.jpg").read_bytes() == b"two"
    assert synced == []
    sync_tree(tmp_path / "set")
    whole = [tmp_path / name for name in ("set", "set/train", "set/train/1.jpg", "set/train/2.jpg")]
    assert sorted(synced) == sorted(path.stat().st_ino for path in whole)


def test_of_several_that_create_a_file_one_succeeds(tmp_path: Path) -> None:
    path, created = tmp_path / "folder" / "file", []

    def create(number: int) -> None:
        with contextlib.suppress(FileExistsError):
            create_bytes(path, str(number).encode() * 1000)
            created.append(number)

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (number,) = created
    assert path.read_bytes() == str(number).encode() * 1000
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_created_on_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    create_bytes(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        create_bytes(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


HALF = """
import os, signal, sys, time
from cache_tools.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_and_a_living_ones_file_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HALF, str(tmp_path / "table.md")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = process.stdout.readline().strip()
        others = ["notes.partial.md", ".table.00000000-1-1-00000000.partial.md", ".table.12ab34cd.partial.md"]
        for name in others:
            (tmp_path / name).touch()
        # a process looks once into a folder
        write = [sys.executable, "-c", "import sys; from cache_tools.files import write_text as w; w(sys.argv[1], 'x')"]
        subprocess.run([*write, str(tmp_path / "a.md")], check=True)
        assert left in os.listdir(tmp_path)
        process.kill()
    subprocess.run([*write, str(tmp_path / "a.md")], check=True)
    # not a file of another machine or of no known process, or one that only looks like it
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "a.md"])


def test_a_name_as_long_as_the_disk_takes_is_written(tmp_path: Path) -> None:
    for name in ("é" * 120 + ".json", "a" * 250 + ".md"):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"
