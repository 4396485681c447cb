"""The annotator's errors: as COCO measured them, and never a person without a keypoint."""

import numpy as np
import pytest

from cache_tools.skeletons import COCO
from pipeline.demo.annotator import MISSING, SWAPPED, annotate, swapped_pairs
from pipeline.demo.random_stream import RandomStream
from tests.samples.coco_joints import MIRROR, OKS_SIGMAS


def test_an_annotator_errs_as_coco_measured() -> None:
    rng, count, area = RandomStream(0), 4000, 90.0**2
    exact = np.array([(150 + joint % 5 * 150, 150 + joint // 5 * 150, 2.0) for joint in range(17)])  # far apart
    clicked = np.stack([annotate(rng, exact, area, (1000, 1000), COCO) for _ in range(count)])
    assert np.mean(clicked[..., 2] == 0) == pytest.approx(MISSING, abs=0.006)
    off = clicked[..., :2] - exact[:, :2]
    off[clicked[..., 2] == 0] = np.nan
    for joint, sigma in enumerate(OKS_SIGMAS):
        expected = sigma * np.sqrt(area)
        near = np.linalg.norm(off[:, joint], axis=1) < 6 * expected  # without those swapped with the other side
        assert off[:, joint][near].std(axis=0) == pytest.approx([expected, expected], rel=0.04)
    pairs = swapped_pairs(COCO)
    left, right = pairs[-1]
    nearer_other = np.linalg.norm(clicked[:, left, :2] - exact[right, :2], axis=1) < 5 * OKS_SIGMAS[right] * 90
    assert np.mean(nearer_other[clicked[:, left, 2] > 0]) == pytest.approx(SWAPPED, abs=0.008)
    assert {MIRROR[a] for a, _ in pairs} == {b for _, b in pairs}


def test_noise_keeps_a_labelled_person_labelled_and_in_the_photo() -> None:
    exact = np.zeros((17, 3))
    exact[3] = (1, 1, 2)
    for seed in range(100):
        clicked = annotate(RandomStream(seed), exact, 5000.0, (100, 100), COCO)
        assert (clicked[:, 2] > 0).sum() == 1
        assert (clicked >= 0).all()
