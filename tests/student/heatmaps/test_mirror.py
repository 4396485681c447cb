"""Heatmaps of a mirrored crop, in both frames."""

import numpy as np
import pytest
import torch

from cache_tools.skeletons import COCO
from student.heatmaps.mirror import mirror_maps
from tests.samples.coco_joints import MIRROR
from tests.samples.gaussian_maps import gaussian_maps, noisy_maps

COCO_MIRROR: tuple[int, ...] = COCO.mirror or ()


def test_mirrored_maps_in_the_udp_frame_have_their_peaks_at_the_joints() -> None:
    xy = np.random.default_rng(5).uniform(0, [47, 63], (4, 17, 2))
    xy_mirrored = np.stack([47 - xy[..., 0], xy[..., 1]], axis=-1)[:, MIRROR]
    back = mirror_maps(torch.from_numpy(gaussian_maps(xy_mirrored)), "udp", COCO_MIRROR)
    np.testing.assert_allclose(back.numpy(), gaussian_maps(xy), atol=1e-5)


def test_mirrored_maps_in_the_stride_frame_move_right_as_in_hrnet() -> None:
    maps = noisy_maps(3, seed=6)
    expected = maps[:, MIRROR, :, ::-1].copy()
    # HRNet's SHIFT_HEATMAP as its code writes it
    expected[..., 1:] = expected.copy()[..., :-1]
    np.testing.assert_array_equal(mirror_maps(torch.from_numpy(maps), "stride", COCO_MIRROR).numpy(), expected)


def test_an_unknown_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown frame 'biased'"):
        mirror_maps(torch.zeros(1, 17, 8, 6), "biased", COCO_MIRROR)
