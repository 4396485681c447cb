"""Files of checksums as coreutils writes them, and photos that do not have theirs."""

import subprocess
from pathlib import Path

import pytest

from cache_tools.photos.checksums import check_file, check_listed, read_checksums


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write three files, one in a folder and one with a backslash in its name."""
    folder = tmp_path / "photos"
    (folder / "video").mkdir(parents=True)
    for name in ("a b.jpg", "video/1.jpg", "back\\slash.jpg"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("command", [
    ["md5sum"], ["sha256sum"], ["sha1sum"], ["sha512sum"], ["md5sum", "--binary"], ["sha256sum", "--tag"],
])  # fmt: skip
@pytest.mark.parametrize("where", [".", ".."])
def test_each_file_has_the_checksum_that_coreutils_writes(photos: Path, command: list[str], where: str) -> None:
    folder = (photos / where).resolve()
    names = [str(path.relative_to(folder)) for path in photos.rglob("*.jpg")]
    path = folder / "sums.txt"
    path.write_bytes(subprocess.run([*command, *names], cwd=folder, check=True, capture_output=True).stdout)
    checksums = read_checksums(path, photos)
    assert sorted(checksums) == ["a b.jpg", "back\\slash.jpg", "video/1.jpg"]
    for name, checksum in checksums.items():
        check_file(photos / name, checksum)
    (photos / "a b.jpg").write_text("another")
    with pytest.raises(ValueError, match=r"a b\.jpg has the \w+ \w+, expected \w+: fetch it again"):
        check_file(photos / "a b.jpg", checksums["a b.jpg"])


def test_names_may_be_relative_to_the_photos_wherever_the_file_is(photos: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other" / "sums"
    elsewhere.parent.mkdir()
    elsewhere.write_text(f"{'0' * 32}  ./video/1.jpg\r\n\n")
    assert read_checksums(elsewhere, photos) == {"video/1.jpg": "0" * 32}


@pytest.mark.parametrize(("text", "message"), [
    ("", "holds no checksum"),
    ("hello\n", "line 1: 'hello' is no checksum"),
    (f"{'0' * 31}  a.jpg\n", "line 1: .* is no checksum"),
    (f"{'0' * 32}  a.jpg\n{'1' * 32}  a.jpg\n", r"line 2: a\.jpg has another checksum above"),
])  # fmt: skip
def test_what_is_no_file_of_checksums_is_refused(text: str, message: str, photos: Path) -> None:
    path = photos / "sums"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_checksums(path, photos)


def test_photos_without_a_checksum_are_counted() -> None:
    with pytest.raises(ValueError, match=r"sums has no checksum of 1 of 2 photos, b\.jpg first"):
        check_listed(["a.jpg", "b.jpg"], {"a.jpg": ""}, "sums")
