"""The instance table: one person a row, in the order of the cache's rows."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Instances:
    """Persons, sorted by (image id, annotation id): a shard then reads each photo once."""

    annotation_id: NDArray[np.int64]  #: (N,)
    image_id: NDArray[np.int64]  #: (N,)
    box: NDArray[np.float64]  #: (N, 4) x, y, width, height in image pixels, clipped to the image
    area: NDArray[np.float64]  #: (N,) of the segment, in square pixels: the scale of OKS
    keypoints: NDArray[np.float64]  #: (N, K, 2) image pixels; (0, 0) where visibility is 0
    visibility: NDArray[np.uint8]  #: (N, K) 0 not labelled, 1 hidden, 2 seen
    image_size: NDArray[np.int32]  #: (N, 2) height, width of the photo
    file_name: tuple[str, ...]  #: (N,) of the photo, relative to the image folder

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.annotation_id)

    def take(self, rows: NDArray[np.integer] | slice) -> "Instances":
        """Return the requested rows, in the requested order."""
        index = np.arange(len(self))[rows]
        picked = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "file_name"}
        return Instances(**picked, file_name=tuple(self.file_name[i] for i in index))

    def digest(self) -> str:
        """Return the sha256 of every field: two tables are equal exactly when their digests are."""
        sha = hashlib.sha256()
        for f in fields(self):
            value = getattr(self, f.name)
            sha.update("\0".join(value).encode() if f.name == "file_name" else np.ascontiguousarray(value).tobytes())
        return sha.hexdigest()


def clip_box(box: ArrayLike, height: ArrayLike, width: ArrayLike) -> NDArray[np.float64]:
    """Return boxes (..., 4) x, y, width, height clipped to their images; width or height is 0 for a box outside."""
    x, y, w, h = np.moveaxis(np.asarray(box, np.float64), -1, 0)
    left, top, right, bottom = np.maximum(x, 0), np.maximum(y, 0), np.minimum(x + w, width), np.minimum(y + h, height)
    return np.stack([left, top, np.maximum(right - left, 0), np.maximum(bottom - top, 0)], axis=-1)


def part_of(table: Instances, index: int, count: int, path: str | Path) -> Instances:
    """Return part `index` of `count` parts of about equal size; the rows of a photo are all in one part."""
    if not 1 <= index <= count:
        raise ValueError(f"part {index}/{count}: expected I/N with I from 1 to N")
    # the row that divides evenly, moved to the first of its photo
    edges = [np.searchsorted(table.image_id, table.image_id[len(table) * k // count]) for k in range(count)]
    start, stop = [*edges, len(table)][index - 1 : index + 1]
    if start == stop:
        photos = len(np.unique(table.image_id))
        raise ValueError(f"part {index}/{count} of {path} holds nobody, there are {photos} photos: use fewer parts")
    return table.take(slice(int(start), int(stop)))
