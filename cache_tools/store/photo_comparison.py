"""Compare stored crops with crops cut again from the photos: those that were replaced in place are found."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.crops import cut_again, decode_crop, encode_pixels
from cache_tools.images import read_image
from cache_tools.prefetch import ordered_map, usable_cpus
from cache_tools.store.reader import StoreReader

#: of 255, of a crop's pixels: the rounding of another decoder is below, the same picture saved a second time is above
LARGEST_RMSE = 1.5


def choose_rows(store: StoreReader, images: Path, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return about `count` of some rows: half of the photos that changed last on the disk, half spread evenly."""
    if count >= len(rows):
        return rows
    names = store.instances.file_name
    changed = {name: _changed(images / name) for name in {names[row] for row in rows}}
    # one a photo: a stable order of equal times
    first = {names[row]: row for row in rows[::-1]}
    newest = sorted(first, key=lambda name: (-changed[name], name))[: (count + 1) // 2]
    spread = rows[np.linspace(0, len(rows) - 1, count // 2).astype(np.int64)]
    return np.unique(np.concatenate([spread, np.array([first[name] for name in newest], np.int64)]))


def find_differing(store: StoreReader, images: Path, rows: NDArray[np.int64], threads: int | None = None) -> list[str]:
    """Return the photos of `images` that some rows of a store were not cut from, each with the annotation's id."""
    names = store.instances.file_name
    ordered = sorted(rows.tolist(), key=lambda row: names[row])
    photos = [list(group) for _, group in groupby(ordered, key=lambda row: names[row])]
    found = ordered_map(lambda group: _differing(store, images, group), photos, threads or usable_cpus())
    return [text for of_photo in found for text in of_photo]


def _differing(store: StoreReader, images: Path, rows: Sequence[int]) -> list[str]:
    """Return a text for each of the rows of one photo whose stored crop shows something else."""
    name = store.instances.file_name[rows[0]]
    height, width = store.instances.image_size[rows[0]].tolist()
    if not (images / name).is_file():
        raise FileNotFoundError(f"there is no photo {(images / name).absolute()}, of which {store.url} holds crops")
    try:
        photo = read_image(images / name, (height, width), store.spec.photos)
    except ValueError as error:
        return [str(error)]
    assert store.spec.crops is not None
    encoding = store.spec.crops.encoding
    texts = []
    for row in rows:
        stored = store.read_crops([row])[0]
        pixels = cut_again(photo, *store.read_crop_geometry(row), encoding)
        again = encode_pixels(pixels, store.spec.crops.quality, encoding)
        if again == stored:
            continue
        difference = decode_crop(again).astype(np.float64) - decode_crop(stored)
        rmse = float(np.sqrt(np.square(difference).mean()))
        if rmse > LARGEST_RMSE:
            annotation = store.instances.annotation_id[row]
            texts.append(f"{name} (annotation {annotation}: RMSE {rmse:.1f} of 255)")
    return texts


def _changed(path: Path) -> float:
    """Return when a file came to its place or was changed there: not what a copy keeps of the original's times."""
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0
