"""Replay from patches of the codes is replay of the decoded maps, for every codec, view and size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.codec.profiles import PROFILES, get_codec
from cache_tools.skeletons import COCO
from student.heatmaps.decode import find_peaks
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.mirror import mirrored_joints
from student.heatmaps.patches import PatchCodec, replay_codes
from student.heatmaps.replay import replay_maps
from tests.samples.fitted_windows import fitted_codec
from tests.samples.gaussian_maps import gaussian_maps

META = torch.device("meta")
TEACHER = (64, 48)


def random_views(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Return matrices (count, 2, 3) of views at any rotation, some far beside the teacher's map."""
    angle, zoom = rng.uniform(-np.pi, np.pi, count), rng.uniform(0.3, 2.5, count)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
    turn[::2, :, 0] *= -1
    return torch.from_numpy(np.concatenate([turn * zoom[:, None, None], rng.normal(10, 40, (count, 2, 1))], axis=2))


@pytest.mark.parametrize("profile", [*PROFILES, "windows"])
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    student=st.sampled_from([((64, 48), 2.0), ((32, 24), 1.5), ((16, 16), 1.0), ((40, 64), 2.7)]),
    teacher_sigma=st.sampled_from([1.5, 2.0, 3.0]),
)
def test_patches_give_the_maps_that_decoded_maps_give(
    profile: str, seed: int, student: tuple[tuple[int, int], float], teacher_sigma: float
) -> None:
    rng = np.random.default_rng(seed)
    size, sigma = student
    codec = fitted_codec(TEACHER) if profile == "windows" else get_codec(profile, TEACHER)
    # peaks in the map, at its border and beside it, which leaves a map blank
    maps = gaussian_maps(rng.uniform([-8, -8], [56, 72], (5, 17, 2)), TEACHER, teacher_sigma)
    maps += 0.4 * gaussian_maps(rng.uniform([0, 0], [48, 64], (5, 17, 2)), TEACHER, teacher_sigma)
    codes, device_codec = torch.from_numpy(codec.encode(maps)), DeviceCodec.of(codec)
    decoded = decode_codes(codes, device_codec)
    matrix, flipped = random_views(rng, 5), torch.from_numpy(rng.random(5) < 0.5)
    sigmas = {"teacher_sigma": teacher_sigma, "student_sigma": sigma}
    expected = replay_maps(decoded, matrix, flipped, size, "peaks", mirror=COCO.mirror, **sigmas)
    patches = PatchCodec.of(device_codec, TEACHER, **sigmas)
    found = replay_codes(codes, patches, find_peaks(decoded), matrix, flipped, size, mirror=COCO.mirror)
    torch.testing.assert_close(found, expected, atol=3e-5, rtol=0)


def test_every_window_lies_within_its_patch() -> None:
    """A patch of ones leaves no cell of a window dark, at any rotation."""
    codec = get_codec("compact", TEACHER)
    for ratio in (0.5, 1.0, 1.3):
        patches = PatchCodec.of(DeviceCodec.of(codec), TEACHER, teacher_sigma=2.0 * ratio, student_sigma=2.0)
        codes = torch.full((60, 1, *codec.code_shape), 255, dtype=torch.uint8)
        angle = torch.linspace(0, 6.2, 60)
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
        peak = torch.rand(60, 1, 2, generator=torch.Generator().manual_seed(1)) + torch.tensor([23.0, 31.0])
        # the peak lies in the middle of the view
        shift = peak[:, 0, :, None] - turn @ torch.full((2, 1), 30.0)
        maps = replay_codes(
            codes, patches, peak, torch.cat([turn, shift], -1), torch.zeros(60, dtype=torch.bool), (61, 61), mirror=None
        )
        assert (maps[..., 22:39, 22:39] > 0.98).all()


@pytest.mark.parametrize("profile", ["compact", "windows"])
def test_patches_ask_the_device_for_no_value(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And give it none, for which the host would wait as well."""
    codec = fitted_codec(TEACHER) if profile == "windows" else get_codec(profile, TEACHER)
    patches = PatchCodec.of(DeviceCodec.of(codec, META), TEACHER, teacher_sigma=2.0, student_sigma=2.0)
    codes = torch.empty(4, 17, *codec.code_shape, dtype=torch.uint8, device=META)
    # copied once
    mirrored_joints(COCO.mirror or (), META)
    monkeypatch.delattr(torch, "tensor")
    peaks, matrix = torch.empty(4, 17, 2, device=META), torch.empty(4, 2, 3, device=META)
    flipped = torch.empty(4, dtype=torch.bool, device=META)
    maps = replay_codes(codes, patches, peaks, matrix, flipped, TEACHER, mirror=COCO.mirror)
    assert (maps.device, maps.shape) == (META, (4, 17, *TEACHER))


@pytest.mark.gpu
@pytest.mark.parametrize("profile", ["compact", "windows"])
def test_patches_on_a_gpu_are_those_of_a_cpu_and_wait_for_nothing(profile: str) -> None:
    rng = np.random.default_rng(5)
    codec = fitted_codec(TEACHER) if profile == "windows" else get_codec(profile, TEACHER)
    codes = torch.from_numpy(codec.encode(gaussian_maps(rng.uniform(0, [47, 63], (8, 17, 2)), TEACHER, 2.0)))
    matrix, flipped = random_views(rng, 8), torch.from_numpy(rng.random(8) < 0.5)
    made = []
    for device in ("cpu", "cuda"):
        device_codec, there = DeviceCodec.of(codec, device), codes.to(device)
        patches = PatchCodec.of(device_codec, TEACHER, teacher_sigma=2.0, student_sigma=2.0)
        peaks = find_peaks(decode_codes(there, device_codec))
        arguments = (there, patches, peaks, matrix.to(device), flipped.to(device), TEACHER)
        made.append(replay_codes(*arguments, mirror=COCO.mirror).cpu())
    torch.testing.assert_close(made[0], made[1], atol=1e-3, rtol=0)
    # what is copied once is there now
    torch.cuda.set_sync_debug_mode("error")
    try:
        replay_codes(*arguments, mirror=COCO.mirror)
        decode_codes(there, device_codec)
    finally:
        torch.cuda.set_sync_debug_mode("default")
