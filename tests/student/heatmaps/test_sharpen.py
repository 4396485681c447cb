"""Peaks become narrower by the square root of the exponent and keep their height."""

import torch

from student.heatmaps.sharpen import sharpen
from student.heatmaps.targets import render_targets

POINTS = torch.tensor([[[10.3, 12.6], [5.0, 20.0]]])


def test_a_gaussian_becomes_a_narrower_one_of_the_same_height() -> None:
    wide, narrow = (render_targets(POINTS, (32, 24), sigma) for sigma in (2.0, 1.0))
    height = wide.amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(sharpen(0.6 * wide, 4.0), 0.6 * height * (wide / height) ** 4, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(sharpen(wide, 4.0)[0, 1], narrow[0, 1], atol=1e-6, rtol=1e-4)


def test_empty_and_negative_maps_stay_finite() -> None:
    maps = torch.tensor([0.0, -0.3]).view(1, 2, 1, 1).expand(1, 2, 4, 3)
    assert torch.equal(sharpen(maps, 2.5), torch.zeros(1, 2, 4, 3))
