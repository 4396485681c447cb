"""Object keypoint similarity, and what is built on it: suppression of duplicates, the score of a pose, hits a joint.

OKS of a joint = exp(-d^2 / (2 s^2 k^2)) with d the distance in pixels, s^2 the area of the person, k = 2 sigma
(https://cocodataset.org/#keypoints-eval). pycocotools writes the same as d^2 / (2 sigma)^2 / area / 2.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.coco import OKS_SIGMAS
from cache_tools.geometry import padded_box

JOINT_THRESHOLD = 0.2  # joints below it do not count in the score of a pose (SimpleBaselines, HRNet, ViTPose)
NMS_THRESHOLD = 0.9
Floats = NDArray[np.float64]


def joint_similarity(xy: ArrayLike, truth: ArrayLike, area: ArrayLike) -> Floats:
    """OKS of each joint (..., 17) of poses (..., 17, 2) and (..., 17, 2); area (...) in square pixels."""
    squared = np.square(np.asarray(xy, np.float64) - np.asarray(truth, np.float64)).sum(-1)
    scale = np.asarray(area, np.float64)[..., None] + np.spacing(1)  # as pycocotools: a point-sized person divides by 0
    return np.exp(-squared / np.square(2 * OKS_SIGMAS) / scale / 2)


def similarity(xy: ArrayLike, truth: ArrayLike, area: ArrayLike, labelled: ArrayLike | None = None) -> Floats:
    """OKS (...) of whole poses: the mean over `labelled` (..., 17) joints, or over all of them; NaN where none is."""
    joints = joint_similarity(xy, truth, area)
    weight = np.ones(joints.shape) if labelled is None else np.broadcast_to(np.asarray(labelled) > 0, joints.shape)
    counted = weight.sum(-1)
    return np.divide((joints * weight).sum(-1), counted, out=np.full(counted.shape, np.nan), where=counted > 0)


def suppress(xy: Floats, scores: Floats, areas: Floats, threshold: float = NMS_THRESHOLD) -> NDArray[np.intp]:
    """OKS-NMS among the poses of one image: indices kept, best first.

    xy (P, 17, 2); scores (P,); areas (P,) of the padded boxes. A pose goes when its OKS with a better one that stays is
    above `threshold`; the scale of a pair is the mean of its two areas, as in HRNet's `oks_nms`.
    """
    order = np.argsort(-scores, kind="stable")
    pair_area = (areas[order][:, None] + areas[order]) / 2
    doubles = similarity(xy[order][:, None], xy[order], pair_area) > threshold  # (P, P)
    alive = np.ones(len(order), bool)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~doubles[row, row + 1 :]
    return order[alive]


def suppress_by_image(
    xy: Floats, scores: Floats, areas: Floats, image_id: NDArray[np.int64], threshold: float = NMS_THRESHOLD
) -> NDArray[np.intp]:
    """OKS-NMS of every image on its own: rows kept, in their given order."""
    order = np.argsort(image_id, kind="stable")
    starts = np.flatnonzero(np.diff(image_id[order])) + 1
    kept = [
        group[suppress(xy[group], scores[group], areas[group], threshold)]
        for group in np.split(order, starts)
        if len(group)
    ]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)


def pose_scores(joint_scores: Floats, box_scores: Floats, threshold: float = JOINT_THRESHOLD) -> Floats:
    """Score (N,) of a pose: its box's score times the mean of its joint scores (N, 17) above `threshold`, if any."""
    sure = joint_scores > threshold
    return (joint_scores * sure).sum(-1) / np.maximum(sure.sum(-1), 1) * box_scores


def coco_results(
    found: Floats,
    image_id: NDArray[np.int64],
    boxes: Floats,
    box_scores: Floats,
    input_size: tuple[int, int],
    *,
    suppressed: bool,
) -> tuple[NDArray[np.intp], list[dict[str, Any]]]:
    """Rows kept, and COCO results of the poses (N, 17, 3) that are: image_id, category_id, keypoints, score.

    suppressed: duplicates go, as they should among a detector's boxes (N, 4) alone. Annotated persons are different
    persons, and a pose found twice in a crowd is an error that AP should see.
    """
    scores = pose_scores(found[..., 2], box_scores)
    kept = np.arange(len(found))
    if suppressed:
        kept = suppress_by_image(found[..., :2], scores, padded_box(boxes, input_size)[1].prod(-1), image_id)
    return kept, [
        {
            "image_id": int(image_id[row]),
            "category_id": 1,
            "keypoints": found[row].round(4).ravel().tolist(),  # a ten-thousandth of a pixel: files a third as large
            "score": float(scores[row]),
        }
        for row in kept
    ]
