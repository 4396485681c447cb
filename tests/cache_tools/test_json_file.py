"""JSON files as people have them, and files that are something else."""

import gzip
from pathlib import Path

import pytest

from cache_tools.json_file import read_json


def read(folder: Path, content: bytes) -> object:
    (folder / "a.json").write_bytes(content)
    return read_json(folder / "a.json", "a list of boxes")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_of_json_is_read(encoding: str, tmp_path: Path) -> None:
    assert read(tmp_path, '{"é": [1, 2.5, null]}\r\n'.encode(encoding)) == {"é": [1, 2.5, None]}


@pytest.mark.parametrize(("content", "found"), [
    (b"", "it is empty"),
    (b" \n\t", "it is empty"),
    (b"\xef\xbb\xbf<!DOCTYPE html><html>", "it looks like a web page"),
    (b"\n<HTML>", "it looks like a web page"),
    (b"<annotation><object/></annotation>", "it looks like XML"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS: run `git lfs pull`"),
    (b"PK\x03\x04abc", "it looks like a ZIP archive: unpack it"),
    (gzip.compress(b"{}", mtime=0), "it looks like a gzip archive: unpack it"),
    (b"\xff\xd8\xff\xe0", "it looks like a JPEG photo"),
    (b"{'a': 1}", "Expecting property name enclosed in double quotes"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a": 1', "delimiter"),
])  # fmt: skip
def test_what_is_no_json_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a list of boxes$") as refused:
        read(tmp_path, content)
    assert str(refused.value).startswith(f"{tmp_path}/a.json is not JSON")
    assert found in str(refused.value)


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a\.json: the key 'bbox' of the object with id 7 is there twice, as \[1\] and"
    ):
        read(tmp_path, b'[{"id": 7, "bbox": [1], "bbox": [2]}]')
    with pytest.raises(ValueError, match="the key 'a' is there twice, as 1 and 1: expected one"):
        read(tmp_path, b'{"a": 1, "a": 1}')
