"""Photos checked before anything long begins: all are there, unchanged, and not turned unknown to their annotations."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.images import image_of, read_image
from cache_tools.photos.checksums import check_content, checksums_of
from cache_tools.photos.options import PhotoOptions
from cache_tools.photos.orientation import AS_IT_IS, EXCHANGED, orientation_of, stated_orientation
from cache_tools.prefetch import ordered_map, usable_cpus
from cache_tools.progress import progress_bar

logger = logging.getLogger(__name__)

#: refused photos that an error names
NAMED = 5
#: subfolders that are looked into for photos that are not there
FOLDERS_SEARCHED = 100
#: (height, width) in pixels
Size = tuple[int, int]


def check_photos(
    folder: Path,
    names: Sequence[str],
    sizes: NDArray[np.int32],
    photo_options: PhotoOptions,
    *,
    checksums: Sequence[Path] = (),
    decode: bool = False,
    threads: int | None = None,
) -> None:
    """Raise an error where photos of `folder` are not what annotations and checksums say; warn where none can tell.

    names (N,), sizes (N, 2): of each person's photo, its height and width as annotations state them. photo_options: how
    the photos will be read; there is no warning where it states whether they are turned. checksums: files, as md5sum or
    sha256sum writes them, with one of each photo. decode: read every photo whole. threads: that read photos, None for
    one a CPU. Each photo is opened once: of its content only the header is read, without `checksums` and `decode`.
    Raises FileNotFoundError where photos are missing, ValueError where one has another checksum or, because of its
    EXIF orientation, another size, and where some cannot be decoded, which are counted.
    """
    threads = threads or usable_cpus()
    size_of: dict[str, Size] = dict(zip(names, ((int(h), int(w)) for h, w in sizes), strict=True))
    names = sorted(size_of)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise _missing(folder, missing, len(names))
    expected = checksums_of(names, folder, checksums) if checksums else {}
    sizes_by_path = {folder / name: size_of[name] for name in names}
    refused: list[str] = []
    if checksums or decode:
        options = photo_options.stated() if decode else None
        orientations = {}
        with progress_bar(len(names), "photos", "photo") as bar:
            looks = ordered_map(lambda n: _read(folder / n, expected.get(n), size_of[n], options), names, threads)
            for name, (orientation, refusal) in zip(names, looks, strict=True):
                bar.update()
                if orientation != AS_IT_IS:
                    orientations[folder / name] = orientation
                refused += [] if refusal is None else [refusal]
    else:
        orientations = find_turned(list(sizes_by_path), threads)
    for path, orientation in orientations.items():
        height, width = sizes_by_path[path]
        if orientation >= EXCHANGED and height != width:
            read_image(path, (height, width), photo_options)
    if photo_options.exif is None:
        _warn(orientations, sizes_by_path)
    if refused:
        more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
        raise ValueError(f"{len(refused)} of {len(names)} photos are refused: {'; '.join(refused[:NAMED])}{more}")


def _read(path: Path, checksum: str | None, size: Size, options: PhotoOptions | None) -> tuple[int, str | None]:
    """Return the EXIF orientation of a photo, and why it is refused, if it is. options: to decode it; None: do not.

    Raises ValueError for another checksum than `checksum`.
    """
    data = path.read_bytes()
    if checksum is not None:
        check_content(data, path, checksum)
    refusal = None
    if options is not None:
        try:
            image_of(data, path, size, options)
        except ValueError as problem:
            refusal = str(problem)
    return stated_orientation(data), refusal


def _missing(folder: Path, names: Sequence[str], count: int) -> FileNotFoundError:
    """Return the error of photos that are not there, with the folder that has the first of them, if one is near."""
    if not folder.is_dir():
        found = f"{folder} is a file" if folder.exists() else f"there is no folder {folder.absolute()}"
        return FileNotFoundError(f"{found}: expected the folder of {count} photos, {names[0]} first")
    first = Path(names[0])
    near = [folder.parent, *sorted(path for path in folder.iterdir() if path.is_dir())[:FOLDERS_SEARCHED]]
    there = next((path for path in near if (path / first).is_file()), None)
    advice = "give the folder that the annotations' file names are relative to, or fetch what is missing"
    if there is not None:
        advice = f"it is in {there.absolute()}: give that folder"
    elif (folder / first.name).is_file():
        advice = f"{first.name} is there: give a folder in which it is {first}, or name it so in the annotations"
    return FileNotFoundError(
        f"{len(names)} of {count} photos are not in {folder.absolute()}, {names[0]} first: {advice}"
    )


def warn_of_turned(photos: Sequence[Path], sizes: Iterable[Size | None]) -> None:
    """Warn of photos whose pixels may be meant as they are stored or as their EXIF orientation turns them.

    sizes: that are stated of them, or None.
    """
    size_of = dict(zip(photos, sizes, strict=True))
    _warn(find_turned(list(size_of), usable_cpus()), size_of)


def find_turned(photos: Sequence[Path], threads: int) -> dict[Path, int]:
    """Return the EXIF orientation of each photo that has another than 1."""
    found = zip(photos, ordered_map(orientation_of, photos, threads), strict=True)
    return {photo: orientation for photo, orientation in found if orientation != AS_IT_IS}


def _warn(orientations: Mapping[Path, int], sizes: Mapping[Path, Size | None]) -> None:
    """Warn of turned photos whose sizes do not tell whether they are meant as stored."""
    unclear = [photo for photo, orientation in orientations.items() if not _is_told(orientation, sizes[photo])]
    if unclear:
        first = unclear[0]
        logger.warning(
            "%d of %d photos have an EXIF orientation other than 1 (%s: %d), and their sizes do not tell whether they "
            "were annotated as stored or turned: they are read as stored; give --exif if annotators saw them turned, "
            "--no-exif if not",
            len(unclear),
            len(sizes),
            first.name,
            orientations[first],
        )


def _is_told(orientation: int, size: Size | None) -> bool:
    """Return whether a stated size tells if a photo is meant as stored or turned."""
    return orientation >= EXCHANGED and size is not None and size[0] != size[1]
