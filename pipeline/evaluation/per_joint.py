"""Accuracy of each joint: the share of hits (PCK) and the mean object keypoint similarity (OKS)."""

import numpy as np
from numpy.typing import NDArray

from cache_tools.coco import JOINTS, KEYPOINTS
from cache_tools.instances import Instances
from pipeline.evaluation.metrics_file import JointAccuracy
from pipeline.evaluation.oks import joint_similarity, similarity
from pipeline.persons.boxes import PersonBoxes

#: of the longer side of the annotated box: a joint that is nearer than this is a hit
PCK_THRESHOLD = 0.1


def joint_accuracy(poses: NDArray[np.float64], boxes: PersonBoxes, persons: Instances) -> dict[str, JointAccuracy]:
    """Return PCK and mean OKS of each joint over the persons on whom it is labelled, and of `all` joints together.

    poses (N, 17, 3): found in `boxes`. In annotated boxes a person's pose is the one found in its box. In a detector's
    boxes it is the pose of its image with the highest OKS to it; a person without any counts as 0.
    PCK: the share within PCK_THRESHOLD x the longer side of the person's box.
    """
    xy = poses[..., :2] if boxes.annotated else _nearest(poses[..., :2], boxes, persons)
    labelled = persons.visibility > 0
    oks = np.nan_to_num(joint_similarity(xy, persons.keypoints, persons.area))
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(xy - persons.keypoints, axis=-1)
        hit = distance <= PCK_THRESHOLD * persons.box[:, 2:].max(-1, keepdims=True)
    table = {"all": _accuracy(hit, oks, labelled)}
    for joint, name in enumerate(KEYPOINTS):
        table[name] = _accuracy(hit[:, joint], oks[:, joint], labelled[:, joint])
    return table


def _accuracy(hit: NDArray[np.bool_], oks: NDArray[np.float64], labelled: NDArray[np.bool_]) -> JointAccuracy:
    total = int(labelled.sum())
    if not total:
        return JointAccuracy(PCK=None, OKS=None, labelled=0)
    return JointAccuracy(PCK=float(hit[labelled].mean()), OKS=float(oks[labelled].mean()), labelled=total)


def _nearest(xy: NDArray[np.float64], boxes: PersonBoxes, persons: Instances) -> NDArray[np.float64]:
    """Return the pose (N, 17, 2) nearest to each person among those of its image; NaN where there is none."""
    best = np.full((len(persons), JOINTS, 2), np.nan)
    start = np.searchsorted(boxes.image_id, persons.image_id, "left")
    stop = np.searchsorted(boxes.image_id, persons.image_id, "right")
    for row in np.flatnonzero(stop > start):
        poses = xy[start[row] : stop[row]]
        oks = similarity(poses, persons.keypoints[row], persons.area[row], persons.visibility[row])
        best[row] = poses[oks.argmax()]
    return best
