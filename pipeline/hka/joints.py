"""Crops -> heatmaps -> joints with their uncertainty: what a hip-knee-ankle angle is computed from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS
from cache_tools.geometry import Matrix, cell_to_crop, compose, crop_to_image
from cache_tools.images import Image, cut
from cache_tools.progress import progress_bar
from pipeline.hka.covariance import covariance_image
from student.device import torch_device
from student.prediction import decode_keypoints, predict_heatmaps, read_crops

if TYPE_CHECKING:
    from pipeline.persons.photo_boxes import PhotoBoxes
    from student.pose_network import PoseNetwork


@dataclass(frozen=True)
class Joints:
    """The joints of N persons as a network sees them."""

    xy: NDArray[np.float64]  # (N, 17, 2) image pixels
    score: NDArray[np.float64]  # (N, 17) height of the heatmap's peak
    covariance: NDArray[np.float64]  # (N, 17, 2, 2) square image pixels


def joints_in_photos(
    teacher: "PoseNetwork",
    asked: "PhotoBoxes",
    *,
    flip: bool = True,
    batch_size: int = 32,
    workers: int = 2,
    device: str = "auto",
) -> Joints:
    """The joints of each person asked for."""
    to_image = crop_to_image(asked.box, teacher.frame, teacher.input_size)
    crops = read_crops(asked.photo, to_image, teacher.input_size, workers=workers, upright=asked.upright)
    return _joints(teacher, crops, to_image, flip, batch_size, device)


def joints_in_images(
    teacher: "PoseNetwork",
    images: Iterator[Image],
    boxes: NDArray[np.float64],
    *,
    flip: bool = True,
    batch_size: int = 32,
    device: str = "auto",
) -> Joints:
    """The same of images that are in memory, one box (N, 4) each."""
    to_image = crop_to_image(boxes, teacher.frame, teacher.input_size)
    crops = (cut(image, matrix, teacher.input_size) for image, matrix in zip(images, to_image, strict=True))
    return _joints(teacher, crops, to_image, flip, batch_size, device)


def _joints(
    teacher: "PoseNetwork", crops: Iterator[Image], to_image: Matrix, flip: bool, batch_size: int, device: str
) -> Joints:
    persons = len(to_image)
    found, spread = np.zeros((persons, JOINTS, 3)), np.zeros((persons, JOINTS, 2, 2))
    cells = cell_to_crop(teacher.frame, teacher.input_size, teacher.heatmap_size)
    with progress_bar(persons, f"hka {teacher.name}", "person") as bar:
        for start in range(0, persons, batch_size):
            rows = slice(start, min(start + batch_size, persons))
            maps = predict_heatmaps(teacher, np.stack([next(crops) for _ in range(start, rows.stop)]), flip=flip)
            to_photo = compose(cells, to_image[rows])
            found[rows] = decode_keypoints(maps, to_photo, torch_device(device))
            spread[rows] = covariance_image(maps, teacher.sigma, to_photo)
            bar.update(len(maps))
    return Joints(found[..., :2], found[..., 2], spread)
