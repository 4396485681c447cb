"""Photos and boxes -> keypoints: the one way in which a network is asked, be it student, teacher or ONNX file."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.coco import JOINTS
from cache_tools.geometry import Matrix, apply, cell_to_crop, compose, crop_to_image
from cache_tools.images import Image, cut, read_image
from cache_tools.prefetch import in_order
from cache_tools.progress import progress_bar
from student.heatmaps.decode import dark_decode, mirror_maps


class Predictor(Protocol):
    """Person crops in, heatmaps out, and the frame in which both are meant. Every teacher is one."""

    @property
    def input_size(self) -> tuple[int, int]: ...
    @property
    def heatmap_size(self) -> tuple[int, int]: ...
    @property
    def frame(self) -> str: ...
    def __call__(self, crops: NDArray[np.uint8], /) -> NDArray[np.float32]: ...  # (B, H, W, 3) -> (B, 17, h, w)


def predict(
    predictor: Predictor,
    photos: Sequence[Path],
    boxes: NDArray[np.float64],
    *,
    flip: bool = False,
    batch_size: int = 32,
    workers: int = 2,
    device: str = "auto",
    photo_sizes: Sequence[tuple[int, int]] | None = None,
    upright: bool = False,
    progress: str | None = None,
) -> NDArray[np.float64]:
    """Keypoints (N, 17, 3) of N persons: x and y in image pixels, and the height of the heatmap's peak.

    photos, boxes (N, 4): photo and box (x, y, width, height) of each person. Persons of one photo that follow each
    other share one read. flip: average with the mirrored crop's heatmaps. device: where heatmaps are decoded.
    photo_sizes: the (height, width) that the annotations state, checked against each file. upright: turn photos as
    their EXIF orientation says; boxes and keypoints are then in the turned photo. progress: title of the bar.
    """
    to_image = crop_to_image(boxes, predictor.frame, predictor.input_size)
    found = np.zeros((len(boxes), JOINTS, 3))
    size = predictor.input_size
    crops = read_crops(photos, to_image, size, workers=workers, photo_sizes=photo_sizes, upright=upright)
    with progress_bar(len(boxes), progress or "", "person", quiet=progress is None) as bar:
        for start in range(0, len(boxes), batch_size):
            rows = slice(start, min(start + batch_size, len(boxes)))
            maps = heatmaps(predictor, np.stack([next(crops) for _ in range(start, rows.stop)]), flip=flip)
            cells = cell_to_crop(predictor.frame, size, predictor.heatmap_size)
            found[rows] = keypoints(maps, compose(cells, to_image[rows]), device=device)
            bar.update(len(maps))
    return found


def heatmaps(predictor: Predictor, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
    """Heatmaps (B, 17, h, w) of crops (B, H, W, 3); with `flip` their mean with the mirrored crop's, mirrored back."""
    maps = np.asarray(predictor(crops), np.float32)
    if not flip:
        return maps
    other = torch.from_numpy(np.asarray(predictor(np.ascontiguousarray(crops[:, :, ::-1])), np.float32))
    return np.asarray((maps + mirror_maps(other, predictor.frame).numpy()) / 2, np.float32)


def keypoints(maps: NDArray[np.float32], cell_to_image: Matrix, *, device: str = "auto") -> NDArray[np.float64]:
    """Keypoints (B, 17, 3), x, y in image pixels and score, of heatmaps (B, 17, h, w) placed by matrices (B, 2, 3).

    Raises ValueError for heatmaps that are not finite.
    """
    if not np.isfinite(maps).all():
        raise ValueError(
            "the heatmaps hold NaN or infinity: the network diverged in training, or its weights are damaged"
        )
    xy, score = dark_decode(torch.from_numpy(np.ascontiguousarray(maps)).to(torch_device(device)))
    xy_image = apply(cell_to_image, xy.double().cpu().numpy())
    return np.concatenate([xy_image, score.double().cpu().numpy()[..., None]], axis=-1)


def torch_device(name: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` means; ValueError where CUDA is asked for and is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch {torch.__version__} finds no CUDA device: use cpu")
    return torch.device(name)


def read_crops(
    photos: Sequence[Path],
    to_image: Matrix,
    size: tuple[int, int],
    *,
    workers: int = 2,
    photo_sizes: Sequence[tuple[int, int]] | None = None,
    upright: bool = False,
) -> Iterator[Image]:
    """Crops in the order of `photos`, cut by matrices (N, 2, 3); threads read ahead, each run of equal photos once."""

    def crops_of(rows: list[int]) -> list[Image]:
        first = rows[0]
        image = read_image(photos[first], None if photo_sizes is None else photo_sizes[first], upright=upright)
        return [cut(image, to_image[row], size) for row in rows]

    groups = [list(rows) for _, rows in groupby(range(len(photos)), key=photos.__getitem__)]
    for crops in in_order(crops_of, groups, workers):
        yield from crops
