"""Predict keypoints of persons in photos with any pose network: a student, a teacher or an ONNX file.

    keypoints = predict(network, ["a.jpg", "b.jpg"])       # one person a photo
    keypoints = predict(network, "a.jpg", boxes=boxes)     # several persons in one photo

`heatmap_batches` gives the heatmaps on the way.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cache_tools.geometry import Matrix, apply, cell_to_crop, compose, crop_to_image
from cache_tools.images import Image, cut, read_image
from cache_tools.photos.options import AS_STORED, NOT_STATED, PhotoOptions
from cache_tools.prefetch import ordered_map
from cache_tools.progress import progress_bar
from cache_tools.skeletons import COCO
from student.device import torch_device
from student.heatmaps.decode import dark_decode
from student.heatmaps.mirror import mirror_maps
from student.inference import Inference
from student.pose_network import Crops, Maps, PoseNetwork
from student.torch_network import OnDevice, maps_of

#: path of an image file, or an RGB image (height, width, 3) in uint8
Photo = str | os.PathLike[str] | Image
DEFAULT = Inference()


@dataclass(frozen=True, kw_only=True)
class HeatmapBatch:
    """Heatmaps of some of the persons, in their order."""

    #: which of the N persons these are
    rows: slice
    #: (B, K, h, w) float32, where the network ran
    tensor: Tensor
    #: (B, 2, 3) heatmap cell -> image pixel
    cell_to_image: Matrix

    @property
    def maps(self) -> Maps:
        """Return the heatmaps (B, K, h, w) as an array."""
        maps: Maps = self.tensor.cpu().numpy()
        return maps


def predict(
    network: PoseNetwork,
    photos: Photo | Sequence[Photo],
    boxes: ArrayLike | None = None,
    inference: Inference = DEFAULT,
    *,
    photo_sizes: Sequence[tuple[int, int] | None] | None = None,
    photo_options: PhotoOptions = NOT_STATED,
    progress: str | None = None,
) -> NDArray[np.float64]:
    """Return keypoints (N, K, 3) of N persons: x and y in image pixels, and the height of the heatmap's peak.

    photos: the photo of each person; one photo in place of a list is that of all persons. Persons of one photo that
    follow each other share one read.
    boxes (N, 4): x, y, width and height of each person in image pixels; None: each photo is one person.
    photo_sizes: the (height, width) that annotations state of each photo, or None, checked against the files.
    photo_options: whether files are turned by their EXIF orientation; image pixels are then those of the turned photo.
    By default photos without boxes are turned, as people see them, and photos with boxes are not, as COCO's boxes are
    in stored pixels. And how 16 bits become 8.
    progress: title of the progress bar; None shows none.

    Raises ValueError where photos and boxes do not match, and for what is no image or no finite heatmap.
    """
    one_photo = isinstance(photos, str | os.PathLike) or (isinstance(photos, np.ndarray) and photos.ndim == 3)
    photo_list = [cast(Photo, photos)] if one_photo else list(cast(Sequence[Photo], photos))
    photo_options = photo_options.stated(default=boxes is None)
    if boxes is None:
        person_boxes = whole_photos(photo_list, photo_options)
    else:
        person_boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if one_photo:
        photo_list *= len(person_boxes)
    if len(photo_list) != len(person_boxes):
        raise ValueError(
            f"{len(photo_list)} photos and {len(person_boxes)} boxes: expected the photo of each box, or one photo"
        )
    device = torch_device(inference.device)
    parts = []
    for batch in heatmap_batches(
        network,
        photo_list,
        person_boxes,
        inference,
        photo_sizes=photo_sizes,
        photo_options=photo_options,
        progress=progress,
    ):
        parts.append(decode_keypoints(batch.tensor, batch.cell_to_image, device))
    return np.concatenate(parts) if parts else np.zeros((0, len(network.skeleton or COCO), 3))


def heatmap_batches(
    network: PoseNetwork,
    photos: Sequence[Photo],
    boxes: NDArray[np.float64],
    inference: Inference = DEFAULT,
    *,
    photo_sizes: Sequence[tuple[int, int] | None] | None = None,
    photo_options: PhotoOptions = AS_STORED,
    progress: str | None = None,
) -> Iterator[HeatmapBatch]:
    """Yield the network's heatmaps of each person's photo and box (N, 4), in order; arguments as in `predict`."""
    to_image = crop_to_image(boxes, network.frame, network.input_size)
    cells = cell_to_crop(network.frame, network.input_size, network.heatmap_size)
    crops = read_crops(
        photos,
        to_image,
        network.input_size,
        workers=inference.workers,
        photo_sizes=photo_sizes,
        photo_options=photo_options,
    )
    with progress_bar(len(boxes), progress or "", "person", quiet=progress is None) as bar:
        for start in range(0, len(boxes), inference.batch_size):
            rows = slice(start, min(start + inference.batch_size, len(boxes)))
            batch = np.stack([next(crops) for _ in range(start, rows.stop)])  # (B, H, W, 3)
            maps = predict_maps(network, batch, flip=inference.flip)
            yield HeatmapBatch(rows=rows, tensor=maps, cell_to_image=compose(cells, to_image[rows]))
            bar.update(len(maps))


def predict_heatmaps(network: PoseNetwork, crops: Crops, *, flip: bool = False) -> Maps:
    """Return `predict_maps` as an array."""
    maps: Maps = predict_maps(network, crops, flip=flip).cpu().numpy()
    return maps


def predict_maps(network: PoseNetwork, crops: Crops, *, flip: bool = False) -> Tensor:
    """Return heatmaps (B, K, h, w), float32, of crops (B, H, W, 3): where the network ran, or on the CPU.

    flip: average with the heatmaps of the mirrored crops, mirrored back (the flip test).
    Raises ValueError for a flip test where the network's joints are unknown or have no mirror order, and for heatmaps
    that are not those that the network states.
    """
    pixels: Crops | Tensor = crops
    if isinstance(network, OnDevice):
        # copied once for both passes
        pixels = torch.from_numpy(crops).to(network.device, non_blocking=True)
    maps = maps_of(network, pixels)
    if not flip:
        return maps
    mirror = mirror_order(network)
    if mirror is None or len(mirror) != maps.shape[1]:
        raise ValueError(
            f"{network.name} has {maps.shape[1]} joints whose mirror order is not known: run it without flip test"
        )
    turned = pixels.flip(2) if isinstance(pixels, Tensor) else np.ascontiguousarray(pixels[:, :, ::-1])
    return (maps + mirror_maps(maps_of(network, turned), network.frame, mirror)) / 2


def mirror_order(network: PoseNetwork) -> tuple[int, ...] | None:
    """Return the mirror order of a network's joints, COCO's for a network that does not say; None: not known."""
    return (network.skeleton or COCO).mirror


def decode_keypoints(maps: Maps | Tensor, cell_to_image: Matrix, device: torch.device) -> NDArray[np.float64]:
    """Return keypoints (B, K, 3), x and y in image pixels and score, of heatmaps (B, K, h, w).

    cell_to_image (B, 2, 3): heatmap cell -> image pixel. device: where the heatmaps are decoded.
    Raises ValueError for heatmaps that are not finite.
    """
    tensor = maps if isinstance(maps, Tensor) else torch.from_numpy(np.ascontiguousarray(maps))
    tensor = tensor.to(device)
    finite = torch.isfinite(tensor).all()
    xy, score = dark_decode(tensor)
    if not finite:
        raise ValueError(
            "the heatmaps hold NaN or infinity: the network diverged in training, or its weights are damaged"
        )
    xy_image = apply(cell_to_image, xy.double().cpu().numpy())
    return np.concatenate([xy_image, score.double().cpu().numpy()[..., None]], axis=-1)


def whole_photos(photos: Sequence[Photo], photo_options: PhotoOptions) -> NDArray[np.float64]:
    """Return boxes (N, 4) that are the whole photos."""
    sizes = [_pixels(photo, None, photo_options).shape for photo in photos]
    return np.array([[0, 0, width, height] for height, width, _ in sizes], np.float64).reshape(-1, 4)


def read_crops(
    photos: Sequence[Photo],
    to_image: Matrix,
    size: tuple[int, int],
    *,
    workers: int = 2,
    photo_sizes: Sequence[tuple[int, int] | None] | None = None,
    photo_options: PhotoOptions = AS_STORED,
) -> Iterator[Image]:
    """Yield the crop (height, width, 3) of each photo by matrices (N, 2, 3) crop pixel -> image pixel, in order.

    size: (height, width) of a crop. workers: threads, which read ahead. A photo of several rows that follow each other
    is read once.
    """

    def crops_of(rows: list[int]) -> list[Image]:
        image = _pixels(photos[rows[0]], None if photo_sizes is None else photo_sizes[rows[0]], photo_options)
        return [cut(image, to_image[row], size) for row in rows]

    photos = list(photos)
    keys = [id(photo) if isinstance(photo, np.ndarray) else os.fspath(photo) for photo in photos]
    groups = [list(rows) for _, rows in groupby(range(len(photos)), key=keys.__getitem__)]
    for crops in ordered_map(crops_of, groups, workers):
        yield from crops


def _pixels(photo: Photo, size: tuple[int, int] | None, photo_options: PhotoOptions) -> Image:
    if not isinstance(photo, np.ndarray):
        return read_image(os.fspath(photo), size, photo_options)
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"an image of {photo.shape} {photo.dtype}: expected RGB (height, width, 3) in uint8")
    return photo
