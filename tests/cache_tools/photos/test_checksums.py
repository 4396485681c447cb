"""Files of checksums as coreutils writes them, and photos that do not have theirs."""

import subprocess
from pathlib import Path

import pytest

from cache_tools.photos.checksums import check_content, checksums_of, read_checksums


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
        check_content((photos / name).read_bytes(), photos / name, checksum)
    (photos / "a b.jpg").write_text("another")
    with pytest.raises(ValueError, match=r"a b\.jpg has the \w+ \w+, expected \w+: fetch it again"):
        check_content((photos / "a b.jpg").read_bytes(), photos / "a b.jpg", checksums["a b.jpg"])


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


def test_photos_without_a_checksum_are_counted(photos: Path) -> None:
    path = photos / "sums"
    path.write_text(f"{'0' * 32}  a b.jpg\n")
    with pytest.raises(ValueError, match=r"sums has no checksum of 1 of 2 photos, video/1\.jpg first"):
        checksums_of(["a b.jpg", "video/1.jpg"], photos, [path])


def test_one_file_has_the_checksums_of_several_folders_and_several_files_those_of_one(tmp_path: Path) -> None:
    for number, name in enumerate(("train/1.jpg", "val/1.jpg", "val/2.jpg")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(str(number))
    both, second = tmp_path / "both.md5", tmp_path / "val" / "second.md5"
    both.write_text(f"{'0' * 32}  train/1.jpg\n{'1' * 32}  val/1.jpg\n")
    second.write_text(f"{'2' * 32}  2.jpg\n")
    assert read_checksums(both, tmp_path / "train") == {"1.jpg": "0" * 32}
    expected = {"1.jpg": "1" * 32, "2.jpg": "2" * 32}
    assert checksums_of(["1.jpg", "2.jpg"], tmp_path / "val", [both, second]) == expected
    second.write_text(f"{'2' * 32}  1.jpg\n")
    with pytest.raises(ValueError, match=r"second\.md5 has another checksum of 1\.jpg than the files before it"):
        checksums_of(["1.jpg"], tmp_path / "val", [both, second])


def test_a_file_in_another_encoding_is_refused_by_name(photos: Path) -> None:
    path = photos / "sums"
    path.write_bytes(f"{'0' * 32}  a.jpg\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"sums is no text in UTF-8 .*: expected lines"):
        read_checksums(path, photos)
