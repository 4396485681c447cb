"""Stored codes decode on the device to the maps that cache_tools decodes in numpy."""

import numpy as np
import pytest
import torch

from cache_tools.codec.profiles import PROFILES, SUPERSEDED, get_codec
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from tests.samples.fitted_windows import fitted_codec


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("size", [(64, 48), (32, 24)])
@pytest.mark.parametrize("profile", [*PROFILES, *SUPERSEDED])
def test_codes_decode_on_the_device_as_in_numpy(profile: str, size: tuple[int, int], device: str) -> None:
    codec = get_codec(profile, size)
    maps = np.random.default_rng(1).random((4, 17, *size), dtype=np.float32) ** 4
    codes = codec.encode(maps)
    decoded = decode_codes(torch.from_numpy(codes).to(device), DeviceCodec.of(codec, device))
    assert decoded.dtype == torch.float32
    np.testing.assert_allclose(decoded.cpu().numpy(), codec.decode(codes), atol=1e-6 if device == "cpu" else 1e-5)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("size", [(64, 48), (32, 24)])
def test_windows_decode_on_the_device_to_the_same_bits(size: tuple[int, int], device: str) -> None:
    codec = fitted_codec(size)
    codes = codec.encode(np.random.default_rng(1).random((4, 2, 17, *size), dtype=np.float32) ** 4)
    codes[0, 0, 0] = 0
    decoded = decode_codes(torch.from_numpy(codes).to(device), DeviceCodec.of(codec, device))
    assert np.array_equal(decoded.cpu().numpy(), codec.decode(codes))
