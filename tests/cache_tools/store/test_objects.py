"""The files of a store are its own: links may lead round in it, and not out of it."""

import os
from pathlib import Path

import pytest

from cache_tools.store.objects import Objects


def test_a_link_inside_the_store_and_to_the_store_is_followed(tmp_path: Path) -> None:
    (tmp_path / "store" / "heatmaps").mkdir(parents=True)
    (tmp_path / "store" / "heatmaps" / "a").write_bytes(b"content")
    (tmp_path / "store" / "again").symlink_to("heatmaps")
    (tmp_path / "link").symlink_to("store")
    objects = Objects(tmp_path / "link", write=True)
    assert objects.get("again/a") == objects.get("heatmaps/a") == b"content"
    assert objects.get_ranges("again/a", [(3, 2), (5, 9), (9, 1), (2**62, 2**40)]) == [b"te", b"nt", b"", b""]
    objects.set("heatmaps/b", b"new")
    assert (tmp_path / "store" / "heatmaps" / "b").read_bytes() == b"new"


def test_a_link_out_of_the_store_is_neither_read_nor_written(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_bytes(b"secret")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "heatmaps").symlink_to("../outside")
    objects = Objects(tmp_path / "store", write=True)
    for forbidden in (
        lambda: objects.get("heatmaps/a"),
        lambda: objects.get_ranges("heatmaps/a", [(0, 1)]),
        lambda: objects.set("heatmaps/a", b""),
        lambda: objects.delete("heatmaps/a"),
    ):
        with pytest.raises(ValueError, match="a link leads out of the store"):
            forbidden()
    assert (tmp_path / "outside" / "a").read_bytes() == b"secret"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for key in ("pipe", "folder"):
        with pytest.raises(ValueError, match=f"{key} is damaged: it is no regular file"):
            Objects(tmp_path).get(key)


def test_a_file_that_is_longer_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"sparse is damaged: 1099511627776 bytes: expected at most 10"):
        Objects(tmp_path).get("sparse", 10)
    assert Objects(tmp_path).fingerprint("sparse", 10) == {"bytes": 2**40}


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    objects = Objects(tmp_path)
    assert objects.get("a") == b"1"
    (tmp_path / "a").unlink()
    assert objects.get("a") is None
    assert objects.fingerprint("a", 1) is None
    assert objects.get_ranges("a", [(0, 1)]) is None
