"""Accuracy of each joint: share of hits (PCK), mean object keypoint similarity (OKS), mean distance (NME)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.instances import Instances
from cache_tools.skeletons import Skeleton
from pipeline.evaluation.metrics_file import JointAccuracy
from pipeline.evaluation.oks import joint_similarity, similarity
from pipeline.persons.boxes import PersonBoxes

#: of the longer side of the annotated box: a joint that is nearer than this is a hit
PCK_THRESHOLD = 0.1


def joint_accuracy(
    poses: NDArray[np.float64], boxes: PersonBoxes, persons: Instances, *, skeleton: Skeleton
) -> dict[str, JointAccuracy]:
    """Return PCK, mean OKS and NME of each joint over the persons on whom it is labelled, and of `all` joints together.

    poses (N, K, 3): found in `boxes`. In annotated boxes a person's pose is the one found in its box. In other boxes it
    is the pose of its image with the highest OKS to it; a person without any counts as 0 in PCK and OKS, and not in
    NME. skeleton: of the K joints.
    PCK: the share within PCK_THRESHOLD x the longer side of the person's box. NME: the mean distance over the root of
    the person's area, which needs no sigma.
    """
    sigmas = skeleton.oks_sigmas()[0]
    xy = poses[..., :2] if boxes.annotated else _nearest(poses[..., :2], boxes, persons, sigmas)
    labelled = persons.visibility > 0
    oks = np.nan_to_num(joint_similarity(xy, persons.keypoints, persons.area, sigmas=sigmas))
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(xy - persons.keypoints, axis=-1)
        hit = distance <= PCK_THRESHOLD * persons.box[:, 2:].max(-1, keepdims=True)
    # a person without extent has no scale, and pycocotools divides by nearly nothing as well
    relative = distance / np.sqrt(persons.area + np.spacing(1))[:, None]
    table = {"all": _accuracy(hit, oks, relative, labelled)}
    for joint, name in enumerate(skeleton.names):
        table[name] = _accuracy(hit[:, joint], oks[:, joint], relative[:, joint], labelled[:, joint])
    return table


def _accuracy(
    hit: NDArray[np.bool_], oks: NDArray[np.float64], relative: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> JointAccuracy:
    total = int(labelled.sum())
    if not total:
        return JointAccuracy(PCK=None, OKS=None, NME=None, labelled=0)
    found = relative[labelled & np.isfinite(relative)]
    return JointAccuracy(
        PCK=float(hit[labelled].mean()),
        OKS=float(oks[labelled].mean()),
        NME=float(found.mean()) if found.size else None,
        labelled=total,
    )


def _nearest(xy: NDArray[np.float64], boxes: PersonBoxes, persons: Instances, sigmas: ArrayLike) -> NDArray[np.float64]:
    """Return the pose (N, K, 2) nearest to each person among those of its image; NaN where there is none."""
    best = np.full((len(persons), *xy.shape[1:]), np.nan)
    start = np.searchsorted(boxes.image_id, persons.image_id, "left")
    stop = np.searchsorted(boxes.image_id, persons.image_id, "right")
    for row in np.flatnonzero(stop > start):
        poses = xy[start[row] : stop[row]]
        oks = similarity(poses, persons.keypoints[row], persons.area[row], persons.visibility[row], sigmas=sigmas)
        best[row] = poses[oks.argmax()]
    return best
