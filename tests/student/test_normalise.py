"""Normalisation, compared with torchvision's."""

import pytest
import torch
from torchvision.transforms.functional import normalize

from student.normalise import IMAGENET_MEAN, IMAGENET_STD, normalise, normalise_each


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalise_is_torchvisions(dtype: torch.dtype) -> None:
    crops = torch.randint(0, 256, (2, 8, 6, 3)).to(dtype)
    before = crops.clone()
    ours = normalise(crops)
    expected = normalize(crops.permute(0, 3, 1, 2) / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(crops, before)


@pytest.mark.parametrize("permuted", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crops_normalised_one_by_one_are_the_same_bits(dtype: torch.dtype, permuted: bool) -> None:
    crops = torch.randint(0, 256, (3, 8, 6, 3)).to(dtype)
    if permuted:
        crops = crops.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    before, ours = crops.clone(), normalise_each(crops)
    assert torch.equal(ours, normalise(crops))
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(crops, before)
    meta = normalise_each(crops.to("meta"))
    assert (meta.shape, meta.device.type) == (ours.shape, "meta")
