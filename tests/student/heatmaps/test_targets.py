"""Targets and their weights, compared with the formula in numpy."""

import numpy as np
import torch

from student.heatmaps.targets import render_targets, target_weight
from tests.samples.gaussian_maps import SIZE, gaussian_maps


def test_targets_are_equation_3_at_any_point() -> None:
    xy = np.random.default_rng(0).uniform(-10, 70, (3, 17, 2))
    targets = render_targets(torch.from_numpy(xy), SIZE, 1.7)
    assert targets.shape == (3, 17, *SIZE)
    assert targets.dtype == torch.float32
    np.testing.assert_allclose(targets.numpy(), gaussian_maps(xy, sigma=1.7), atol=2e-6)


def test_a_joint_counts_when_it_is_labelled_and_on_the_map() -> None:
    xy = torch.tensor([[[0, 0], [47.4, 63.4], [47.6, 5], [5, 63.6], [-0.6, 5], [20, 20], [20, 20]]])
    visibility = torch.tensor([[1, 2, 2, 2, 2, 0, 1]], dtype=torch.uint8)
    assert target_weight(xy, visibility, SIZE).tolist() == [[1, 1, 0, 0, 0, 0, 1]]
