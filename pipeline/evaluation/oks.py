"""Compute object keypoint similarity (OKS), and with it suppress duplicates and score poses.

OKS of a joint = exp(-d^2 / (2 s^2 k^2)) with d the distance in pixels, s^2 the area of the person, k = 2 sigma
(https://cocodataset.org/#keypoints-eval). pycocotools writes the same as d^2 / (2 sigma)^2 / area / 2.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import OKS_SIGMAS
from cache_tools.geometry import padded_box

#: joints below it do not count in the score of a pose (SimpleBaselines, HRNet, ViTPose)
JOINT_THRESHOLD = 0.2
#: OKS with a better pose above which a pose is suppressed
NMS_THRESHOLD = 0.9
Floats = NDArray[np.float64]


def joint_similarity(xy: ArrayLike, truth: ArrayLike, area: ArrayLike) -> Floats:
    """Return the OKS (..., 17) of each joint of poses xy and truth, both (..., 17, 2); area (...) in square pixels."""
    squared = np.square(np.asarray(xy, np.float64) - np.asarray(truth, np.float64)).sum(-1)
    # as pycocotools: a person without extent would divide by 0
    scale = np.asarray(area, np.float64)[..., None] + np.spacing(1)
    return np.asarray(np.exp(-squared / np.square(2 * OKS_SIGMAS) / scale / 2))


def similarity(xy: ArrayLike, truth: ArrayLike, area: ArrayLike, labelled: ArrayLike | None = None) -> Floats:
    """Return the OKS (...) of poses: the mean over `labelled` joints (..., 17), or over all; NaN where none is."""
    joints = joint_similarity(xy, truth, area)
    weight = np.ones(joints.shape) if labelled is None else np.broadcast_to(np.asarray(labelled) > 0, joints.shape)
    counted = weight.sum(-1)
    oks = np.full(counted.shape, np.nan)
    return np.asarray(np.divide((joints * weight).sum(-1), counted, out=oks, where=counted > 0))


def suppress(xy: Floats, scores: Floats, areas: Floats, threshold: float = NMS_THRESHOLD) -> NDArray[np.intp]:
    """Suppress duplicates among the poses of one image (OKS-NMS); return the indices kept, best first.

    xy (P, 17, 2); scores (P,); areas (P,) of the padded boxes. A pose is suppressed when its OKS with a better one
    that is kept is above `threshold`; the scale of a pair is the mean of its two areas, as in HRNet's `oks_nms`.
    """
    order = np.argsort(-scores, kind="stable")
    pair_area = (areas[order][:, None] + areas[order]) / 2
    duplicates = similarity(xy[order][:, None], xy[order], pair_area) > threshold  # (P, P)
    alive = np.ones(len(order), bool)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~duplicates[row, row + 1 :]
    return order[alive]


def suppress_by_image(
    xy: Floats, scores: Floats, areas: Floats, image_id: NDArray[np.int64], threshold: float = NMS_THRESHOLD
) -> NDArray[np.intp]:
    """Suppress duplicates in each image separately; return the rows kept, in their given order."""
    order = np.argsort(image_id, kind="stable")
    starts = np.flatnonzero(np.diff(image_id[order])) + 1
    kept = [
        group[suppress(xy[group], scores[group], areas[group], threshold)]
        for group in np.split(order, starts)
        if len(group)
    ]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)


def pose_scores(joint_scores: Floats, box_scores: Floats, threshold: float = JOINT_THRESHOLD) -> Floats:
    """Return scores (N,) of poses: the box's score times the mean of joint scores (N, 17) above `threshold`, if any."""
    counted = joint_scores > threshold
    return np.asarray((joint_scores * counted).sum(-1) / np.maximum(counted.sum(-1), 1) * box_scores)


def coco_results(
    poses: Floats,
    image_id: NDArray[np.int64],
    boxes: Floats,
    box_scores: Floats,
    input_size: tuple[int, int],
    *,
    suppressed: bool,
) -> tuple[NDArray[np.intp], list[dict[str, Any]]]:
    """Return the rows kept, and COCO results of these poses: image_id, category_id, keypoints, score.

    poses (N, 17, 3): x, y in image pixels and score. boxes (N, 4). input_size: (height, width) of a crop.
    suppressed: leave out duplicates, as one should among a detector's boxes, and only there: annotated persons are
    different persons, and a pose found twice in a crowd is an error that AP should see.
    """
    scores = pose_scores(poses[..., 2], box_scores)
    kept = np.arange(len(poses))
    if suppressed:
        areas = padded_box(boxes, input_size)[1].prod(-1)
        kept = suppress_by_image(poses[..., :2], scores, areas, image_id)
    # a ten-thousandth of a pixel: files a third as large
    rounded = poses.round(4)
    return kept, [
        {
            "image_id": int(image_id[row]),
            "category_id": 1,
            "keypoints": rounded[row].ravel().tolist(),
            "score": float(scores[row]),
        }
        for row in kept
    ]
