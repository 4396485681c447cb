"""Joints with their uncertainty: what a hip-knee-ankle angle is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.photos.options import AS_STORED, PhotoOptions
from cache_tools.skeletons import COCO
from pipeline.hka.covariance import covariance_image
from student.device import torch_device
from student.inference import Inference
from student.pose_network import PoseNetwork
from student.prediction import Photo, decode_keypoints, heatmap_batches


@dataclass(frozen=True, kw_only=True)
class Joints:
    """The joints that a network finds in N persons."""

    #: (N, K, 2) image pixels; angles are measured from joints in the places of COCO's (coco_places.py)
    xy: NDArray[np.float64]
    #: (N, K) height of the heatmap's peak
    score: NDArray[np.float64]
    #: (N, K, 2, 2) square image pixels; NaN where it is unknown
    covariance: NDArray[np.float64]


def find_joints(
    network: PoseNetwork,
    photos: Sequence[Photo],
    boxes: NDArray[np.float64],
    inference: Inference,
    *,
    photo_sizes: Sequence[tuple[int, int] | None] | None = None,
    photo_options: PhotoOptions = AS_STORED,
) -> Joints:
    """Return the network's joints of the person in each photo's box (N, 4).

    photos: files, or images (height, width, 3) in memory. photo_sizes: the (height, width) that the boxes were found
    in, where it is known, checked against the files. photo_options: how files are read.
    """
    shape, device = (len(boxes), len(network.skeleton or COCO)), torch_device(inference.device)
    keypoints, covariance = np.zeros((*shape, 3)), np.zeros((*shape, 2, 2))
    batches = heatmap_batches(
        network,
        photos,
        boxes,
        inference,
        photo_sizes=photo_sizes,
        photo_options=photo_options,
        progress=f"hka {network.name}",
    )
    for batch in batches:
        keypoints[batch.rows] = decode_keypoints(batch.tensor, batch.cell_to_image, device)
        covariance[batch.rows] = covariance_image(batch.maps, network.sigma, batch.cell_to_image)
    return Joints(xy=keypoints[..., :2], score=keypoints[..., 2], covariance=covariance)
