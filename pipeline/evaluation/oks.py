"""Compute object keypoint similarity (OKS), and with it suppress duplicates and score poses.

OKS of a joint = exp(-d^2 / (2 s^2 k^2)) with d the distance in pixels, s^2 the area of the person, k = 2 sigma
(https://cocodataset.org/#keypoints-eval). pycocotools writes the same as d^2 / (2 sigma)^2 / area / 2.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.geometry import padded_box

#: joints below it do not count in the score of a pose (SimpleBaselines, HRNet, ViTPose)
JOINT_THRESHOLD = 0.2
#: OKS with a better pose above which a pose is suppressed
NMS_THRESHOLD = 0.9
Floats = NDArray[np.float64]


def joint_similarity(xy: ArrayLike, truth: ArrayLike, area: ArrayLike, *, sigmas: ArrayLike) -> Floats:
    """Return the OKS (..., K) of each joint of poses xy and truth, both (..., K, 2).

    area (...): in square pixels. sigmas (K,): of the joints (`Skeleton.oks_sigmas`).
    """
    squared = np.square(np.asarray(xy, np.float64) - np.asarray(truth, np.float64)).sum(-1)
    # as pycocotools: a person without extent would divide by 0
    scale = np.asarray(area, np.float64)[..., None] + np.spacing(1)
    return np.asarray(np.exp(-squared / np.square(2 * np.asarray(sigmas, np.float64)) / scale / 2))


def similarity(
    xy: ArrayLike, truth: ArrayLike, area: ArrayLike, labelled: ArrayLike | None = None, *, sigmas: ArrayLike
) -> Floats:
    """Return the OKS (...) of poses: the mean over `labelled` joints (..., K), or over all; NaN where none is."""
    joints = joint_similarity(xy, truth, area, sigmas=sigmas)
    weight = np.ones(joints.shape) if labelled is None else np.broadcast_to(np.asarray(labelled) > 0, joints.shape)
    counted = weight.sum(-1)
    oks = np.full(counted.shape, np.nan)
    return np.asarray(np.divide((joints * weight).sum(-1), counted, out=oks, where=counted > 0))


def suppress(
    xy: Floats, scores: Floats, areas: Floats, threshold: float = NMS_THRESHOLD, *, sigmas: ArrayLike
) -> NDArray[np.intp]:
    """Suppress duplicates among the poses of one image (OKS-NMS); return the indices kept, best first.

    xy (P, K, 2); scores (P,); areas (P,) of the padded boxes; sigmas (K,). A pose is suppressed when its OKS with a
    better one that is kept is above `threshold`; the scale of a pair is the mean of its two areas, as in HRNet's
    `oks_nms`.
    """
    order = np.argsort(-scores, kind="stable")
    pair_area = (areas[order][:, None] + areas[order]) / 2
    duplicates = similarity(xy[order][:, None], xy[order], pair_area, sigmas=sigmas) > threshold  # (P, P)
    alive = np.ones(len(order), bool)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~duplicates[row, row + 1 :]
    return order[alive]


def suppress_in_groups(
    xy: Floats,
    scores: Floats,
    areas: Floats,
    groups: NDArray[np.int64],
    threshold: float = NMS_THRESHOLD,
    *,
    sigmas: ArrayLike,
) -> NDArray[np.intp]:
    """Suppress duplicates in each group separately; return the rows kept, in their given order.

    groups (N, D): for instance the image and the category of each pose; equal rows are one group.
    """
    order = np.lexsort(groups.T)
    starts = np.flatnonzero((np.diff(groups[order], axis=0) != 0).any(axis=1)) + 1
    kept = [
        group[suppress(xy[group], scores[group], areas[group], threshold, sigmas=sigmas)]
        for group in np.split(order, starts)
        if len(group)
    ]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)


def pose_scores(joint_scores: Floats, box_scores: Floats, threshold: float = JOINT_THRESHOLD) -> Floats:
    """Return scores (N,) of poses: the box's score times the mean of joint scores (N, K) above `threshold`, if any."""
    counted = joint_scores > threshold
    return np.asarray((joint_scores * counted).sum(-1) / np.maximum(counted.sum(-1), 1) * box_scores)


def coco_results(
    poses: Floats,
    image_id: NDArray[np.int64],
    category_id: NDArray[np.int64],
    boxes: Floats,
    box_scores: Floats,
    input_size: tuple[int, int],
    *,
    sigmas: ArrayLike,
    suppressed: bool,
    known: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.intp], list[dict[str, Any]]]:
    """Return the rows kept, and COCO results of these poses: image_id, category_id, keypoints, score.

    poses (N, K, 3): x, y in image pixels and score. category_id (N,): that of the box. boxes (N, 4). input_size:
    (height, width) of a crop. sigmas (K,): of OKS.
    suppressed: leave out duplicates, as one should among a detector's boxes, and only there: annotated persons are
    different persons, and a pose found twice in a crowd is an error that AP should see. Poses of different categories
    are no duplicates, because AP looks at each category separately. known (K,): joints that suppression compares; None:
    all.
    Raises ValueError where a pose or its score is not finite, and where poses have another number of joints.
    """
    count = len(np.asarray(sigmas))
    if poses.shape[1] != count:
        raise ValueError(
            f"poses have {poses.shape[1]} joints, expected {count}: say which joints the network has, as in "
            "onnx:FILE?skeleton=NAME or by an attribute `skeleton`"
        )
    scores = pose_scores(poses[..., 2], box_scores)
    _check_finite(poses, scores, image_id)
    kept = np.arange(len(poses))
    if suppressed:
        joints = slice(None) if known is None else np.flatnonzero(known)
        kept = suppress_in_groups(
            poses[:, joints, :2],
            scores,
            padded_box(boxes, input_size)[1].prod(-1),
            np.stack([image_id, category_id], axis=1),
            sigmas=np.asarray(sigmas)[joints],
        )
    # a ten-thousandth of a pixel: files a third as large
    rounded = poses.round(4)
    return kept, [
        {
            "image_id": int(image_id[row]),
            "category_id": int(category_id[row]),
            "keypoints": rounded[row].ravel().tolist(),
            "score": float(scores[row]),
        }
        for row in kept
    ]


def _check_finite(poses: Floats, scores: Floats, image_id: NDArray[np.int64]) -> None:
    """Raise ValueError where a pose holds NaN or infinity, which pycocotools would count as a hit."""
    wrong = ~(np.isfinite(poses).all(axis=(1, 2)) & np.isfinite(scores))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} poses hold NaN or infinity, the first is number {row}, in image {image_id[row]}: "
            "expected finite numbers. Are the network's weights and the boxes sound?"
        )
