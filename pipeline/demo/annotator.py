"""Errors as human annotators make them: without, the labels of the train split would be better than COCO's."""

import numpy as np

from cache_tools.skeletons import Skeleton
from pipeline.demo.arithmetic import Floats
from pipeline.demo.body_joints import body_joints
from pipeline.demo.random_stream import RandomStream

MISSING = 0.12  # share of joints that an annotator leaves out
SWAPPED = 0.02  # share of left-right pairs of the body written the wrong way round


def annotate(rng: RandomStream, keypoints: Floats, area: float, size: tuple[int, int], skeleton: Skeleton) -> Floats:
    """Return keypoints (K, 3) as a person would have clicked them in a photo of `size` (height, width).

    A click is off by a normal deviate of sd sigma_k * sqrt(area) on each axis, and stays in the photo. sigma_k is the
    skeleton's, for COCO the standard deviation among repeated annotations (https://cocodataset.org/#keypoints-eval);
    area: square pixels. One joint is always kept: a labelled person stays labelled.
    """
    height, width = size
    pairs = swapped_pairs(skeleton)
    off = rng.normals(len(keypoints), 2) * (np.array(skeleton.oks_sigmas()[0]) * np.sqrt(area))[:, None]
    missing = rng.uniforms(len(keypoints)) < MISSING
    swapped = rng.uniforms(len(pairs)) < SWAPPED
    noisy = keypoints.copy()
    noisy[:, :2] = np.clip(noisy[:, :2] + off, 0, [width - 1, height - 1])
    labelled = keypoints[:, 2] > 0
    if not (labelled & ~missing).any():
        missing[np.flatnonzero(labelled)[:1]] = False
    noisy[missing | ~labelled] = 0
    for pair, wrong in zip(pairs, swapped, strict=True):
        if wrong:
            noisy[list(pair)] = noisy[list(pair[::-1])]
    return noisy


def swapped_pairs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Return the pairs of joints that annotators take for each other: all except those of the face."""
    of_face = body_joints(skeleton).of_face
    pairs = enumerate(skeleton.mirror or ())
    return [(joint, other) for joint, other in pairs if joint < other and not of_face[joint]]
