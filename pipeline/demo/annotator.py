"""Errors as human annotators make them: without, the labels of the train split would be better than COCO's."""

import numpy as np

from cache_tools.skeletons import COCO
from pipeline.demo.arithmetic import Floats
from pipeline.demo.random_stream import RandomStream

MISSING = 0.12  # share of joints that an annotator leaves out
SWAPPED = 0.02  # share of left-right pairs of the body written the wrong way round
PAIRS = [(left, int(np.array(COCO.mirror)[left])) for left in range(5, 17, 2)]  # shoulders to ankles


def annotate(rng: RandomStream, keypoints: Floats, area: float, size: tuple[int, int]) -> Floats:
    """Return keypoints (17, 3) as a person would have clicked them in a photo of `size` (height, width).

    A click is off by a normal deviate of sd sigma_k * sqrt(area) on each axis, and stays in the photo. sigma_k is the
    standard deviation that COCO found among repeated annotations (https://cocodataset.org/#keypoints-eval); area:
    square pixels. One joint is always kept: a labelled person stays labelled.
    """
    height, width = size
    off = rng.normals(len(keypoints), 2) * (np.array(COCO.sigmas) * np.sqrt(area))[:, None]
    missing = rng.uniforms(len(keypoints)) < MISSING
    swapped = rng.uniforms(len(PAIRS)) < SWAPPED
    noisy = keypoints.copy()
    noisy[:, :2] = np.clip(noisy[:, :2] + off, 0, [width - 1, height - 1])
    labelled = keypoints[:, 2] > 0
    if not (labelled & ~missing).any():
        missing[np.flatnonzero(labelled)[:1]] = False
    noisy[missing | ~labelled] = 0
    for pair, wrong in zip(PAIRS, swapped, strict=True):
        if wrong:
            noisy[list(pair)] = noisy[list(pair[::-1])]
    return noisy
