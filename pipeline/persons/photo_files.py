"""The photos among files and in folders with all their subfolders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def find_photos(paths: Iterable[str | Path], besides: Iterable[Path | None] = ()) -> list[Path]:
    """Return the photos among files and, in the order of their paths, in folders and their subfolders; each once.

    Hidden files and folders are not looked at. besides: folders that are not looked into, such as that of the pictures
    which a command writes.
    Raises ValueError for a folder without photos, FileNotFoundError for a path that does not exist.
    """
    skipped = {path.resolve() for path in besides if path is not None}
    photos: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(_photos_in(path, skipped))
            if not inside:
                raise ValueError(
                    f"{path} and its subfolders hold no photo: expected files that end in {', '.join(PHOTO_SUFFIXES)}"
                )
            photos += inside
        elif path.is_file():
            photos.append(path)
        else:
            raise FileNotFoundError(f"there is no photo or folder {path.absolute()}")
    return list(dict.fromkeys(photos))


def photo_folder(paths: Iterable[str | Path]) -> Path:
    """Return the deepest folder that holds all of some files and folders: photos are named relative to it."""
    given = [Path(path).absolute() for path in paths]
    return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in given]))


def _photos_in(folder: Path, skipped: set[Path]) -> Iterator[Path]:
    """Yield the photos below a folder; links to folders are followed, each folder once."""
    passed = set(skipped)
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        if (resolved := here.resolve()) in passed:
            folders.clear()
            continue
        passed.add(resolved)
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in PHOTO_SUFFIXES:
                yield here / file
