"""Photos are checked before anything long begins, and warned of where only the annotator knows."""

import builtins
import hashlib
import io
import itertools
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from pipeline.persons.photo_boxes import find_boxes
from pipeline.persons.photo_check import check_photos
from tests.samples.photo_files import content, picture

open_file = io.open
#: name -> (EXIF orientation, stored height and width)
PHOTOS = {
    "plain.jpg": (None, (40, 60)), "one.jpg": (1, (40, 60)), "half.jpg": (3, (40, 60)), "mirror.png": (2, (40, 60)),
    "sub/square.jpg": (6, (40, 40)),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write PHOTOS."""
    (tmp_path / "sub").mkdir()
    for name, (orientation, size) in PHOTOS.items():
        format = "PNG" if name.endswith("png") else "JPEG"
        (tmp_path / name).write_bytes(content(picture(*size), format, orientation))
    return tmp_path


def check(folder: Path, options: PhotoOptions = NOT_STATED, checksums: Sequence[Path] = ()) -> None:
    """Check PHOTOS as those of persons, of whom one photo has two."""
    names = [*PHOTOS, "plain.jpg"]
    sizes = np.array([PHOTOS[name][1] for name in names], np.int32)
    check_photos(folder, names, sizes, options, checksums=checksums, threads=2)


def test_photos_of_which_sizes_tell_nothing_are_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    check(folder)
    (message,) = caplog.messages
    assert message.startswith("3 of 5 photos have an EXIF orientation other than 1 (half.jpg: 3)")
    assert "give --exif" in message
    caplog.clear()
    check(folder, AS_STORED)
    check(folder, UPRIGHT)
    assert not caplog.messages


def test_a_photo_of_the_other_size_is_refused_before_any_is_used(folder: Path) -> None:
    (folder / "one.jpg").write_bytes(content(picture(60, 40), "JPEG", 8))
    with pytest.raises(ValueError, match=r"one\.jpg is 60x40 pixels, its annotations say 40x60, .*give --exif"):
        check(folder)
    check(folder, UPRIGHT)


def test_missing_photos_are_counted(folder: Path) -> None:
    (folder / "one.jpg").unlink()
    (folder / "half.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of 5 photos are not in .*half\.jpg first"):
        check(folder)


def test_checksums_tell_what_decoding_does_not(folder: Path) -> None:
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in PHOTOS]
    sums = folder / "sums.txt"
    sums.write_text("".join(lines))
    check(folder, AS_STORED, checksums=[sums])
    (folder / "one.jpg").write_bytes(content(picture(seed=1), "JPEG"))
    check(folder, AS_STORED)
    with pytest.raises(ValueError, match=r"one\.jpg has the sha256 .*: fetch it again"):
        check(folder, AS_STORED, checksums=[sums])
    sums.write_text(lines[0])
    with pytest.raises(ValueError, match=r"sums\.txt has no checksum of 4 of 5 photos"):
        check(folder, AS_STORED, checksums=[sums])


def test_boxes_without_sizes_in_turned_photos_are_warned_of(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    photos = [folder / "plain.jpg", folder / "half.jpg"]
    boxes = folder / "boxes.json"
    boxes.write_text(json.dumps([{"file_name": p.name, "bbox": [0, 0, 9, 9], "score": 1} for p in photos]))
    assert find_boxes(photos, boxes).photo_options == AS_STORED
    assert [message[:15] for message in caplog.messages] == ["1 of 2 photos h"]
    caplog.clear()
    find_boxes(photos, boxes, photo_options=AS_STORED)
    find_boxes(photos)
    assert not caplog.messages


def test_each_photo_is_opened_once_whatever_is_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = [f"{hashlib.md5((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in PHOTOS]
    (folder / "sums.txt").write_text("".join(sums))
    sizes = np.array([size for _, size in PHOTOS.values()], np.int32)
    opened: list[str] = []

    def noted(path: Any, *arguments: Any, **more: Any) -> Any:
        opened.append(str(path))
        return open_file(path, *arguments, **more)

    # pathlib opens by the one, the rest by the other
    for module in (builtins, io):
        monkeypatch.setattr(module, "open", noted)
    for decode, checksums in itertools.product((False, True), ([], [folder / "sums.txt"])):
        opened.clear()
        check_photos(folder, list(PHOTOS), sizes, NOT_STATED, checksums=checksums, decode=decode, threads=2)
        assert sorted(path for path in opened if "sums" not in path) == sorted(str(folder / name) for name in PHOTOS)
