"""Which photos are found among files and folders, and the folder that they are named relative to."""

from pathlib import Path

import pytest

from pipeline.persons.photo_files import find_photos, photo_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a/2.PNG", "a/1.jpeg", "a/deep/er/3.webp", "notes.txt", ".thumbnails/b.jpg", "a/._1.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_photos_of_files_and_folders_are_found_once_in_order(folder: Path) -> None:
    in_folder = [folder / name for name in ("a/1.jpeg", "a/2.PNG", "a/deep/er/3.webp", "b.jpg")]
    assert find_photos([folder]) == in_folder
    assert find_photos([folder / "b.jpg", folder]) == [in_folder[-1], *in_folder[:-1]]
    # a file that is named is taken whatever its name is
    assert find_photos([folder / "notes.txt"]) == [folder / "notes.txt"]
    assert find_photos([folder], besides=[folder / "a" / "deep", None]) == [*in_folder[:2], in_folder[-1]]


def test_what_holds_no_photo_is_refused(folder: Path) -> None:
    (folder / "empty" / "er").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"empty and its subfolders hold no photo: expected files that end in \.jpg"):
        find_photos([folder / "empty"])
    with pytest.raises(FileNotFoundError, match="there is no photo or folder"):
        find_photos([folder / "nowhere.jpg"])


def test_links_to_folders_are_followed_and_circles_end(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "c.jpg").touch()
    (folder / "a" / "linked").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(folder)
    found = find_photos([folder])
    assert folder / "a" / "linked" / "c.jpg" in found
    assert len(found) == len({path.resolve() for path in found}) == 5


def test_the_folder_of_photos_is_what_was_given(folder: Path) -> None:
    assert photo_folder([folder]) == folder
    assert photo_folder([folder / "a" / "deep"]) == folder / "a" / "deep"
    assert photo_folder([folder / "a" / "1.jpeg"]) == folder / "a"
    assert photo_folder([folder / "a" / "deep", folder / "b.jpg"]) == folder
