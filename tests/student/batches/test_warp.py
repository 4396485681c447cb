"""Crops from stored pixels, compared with scipy, OpenCV and plain copies."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from cache_tools.geometry import apply
from student.batches.warp import warp_image
from tests.samples.opencv_levels import OPENCV_LEVELS


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return smooth colours with some noise, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 5, 3), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)


def matrices(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Return matrices (count, 2, 3) with zoom, rotation, mirror and a shift beyond the canvas's edge."""
    rng = np.random.default_rng(seed)
    angle, zoom = rng.uniform(-1.4, 1.4, count), rng.uniform(0.5, 1.5, count)
    rotation = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
    linear = zoom[:, None, None] * rotation
    linear[::2, :, 0] *= -1
    return np.concatenate([linear, rng.uniform(20, 120, (count, 2, 1))], axis=2)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_warped_crop_is_scipys(count: int) -> None:
    canvases = np.stack([photo(150, 130, seed) for seed in range(count)])
    to_canvas = matrices(count)
    crops = warp_image(torch.from_numpy(canvases), torch.from_numpy(to_canvas), (64, 48))
    assert crops.shape == (count, 3, 64, 48)
    y, x = np.mgrid[:64, :48]
    for canvas, matrix, crop in zip(canvases, to_canvas, crops.numpy(), strict=True):
        yx_canvas = apply(matrix, np.stack([x, y], axis=-1).reshape(-1, 2))[:, ::-1].T
        # black fades in over the outermost pixel
        padded = np.pad(canvas, ((1, 1), (1, 1), (0, 0))).astype(np.float64)
        expected = [map_coordinates(padded[..., c], yx_canvas + 1, order=1, mode="constant") for c in range(3)]
        np.testing.assert_allclose(crop.reshape(3, -1), expected, atol=0.05)


def test_a_warped_crop_is_opencvs() -> None:
    """cache_tools.images.cut makes the teacher's crops: the student must see the same pixels."""
    canvas, to_canvas = photo(400, 300), matrices(6, seed=1)
    crops = warp_image(torch.from_numpy(canvas).expand(6, -1, -1, -1), torch.from_numpy(to_canvas), (256, 192))
    for matrix, crop in zip(to_canvas, crops, strict=True):
        expected = cv2.warpAffine(canvas, matrix, (192, 256), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        assert np.abs(crop.permute(1, 2, 0).numpy() - expected).max() <= OPENCV_LEVELS


def test_an_identity_copies_and_a_mirror_mirrors() -> None:
    canvas = torch.from_numpy(np.stack([photo(64, 48), photo(64, 48, 1)]))
    plain = canvas.permute(0, 3, 1, 2).float()
    for matrix, expected in (
        (torch.eye(2, 3), plain),
        (torch.tensor([[-1.0, 0, 47], [0, 1, 0]]), plain.flip(-1)),
    ):
        crops = warp_image(canvas, matrix.expand(2, 2, 3), (64, 48))
        torch.testing.assert_close(crops, expected, atol=2e-3, rtol=0)


def test_colours_change_by_gain_and_bias_and_stay_in_range() -> None:
    canvas = torch.from_numpy(np.stack([photo(64, 48), photo(64, 48, 1), photo(64, 48, 2)]))
    identity = torch.eye(2, 3).expand(3, 2, 3)
    gain, bias = torch.tensor([[1.5, 1, 0.5]]).repeat(3, 1), torch.tensor([[10.0, -20, 0]]).repeat(3, 1)
    gain[1] = 0
    crops = warp_image(canvas, identity, (64, 48), gain, bias)
    plain = warp_image(canvas, identity, (64, 48))
    torch.testing.assert_close(crops, (plain * gain[..., None, None] + bias[..., None, None]).clamp(0, 255))
    assert (crops[1, 0] == 10).all()


@pytest.mark.gpu
def test_the_device_warps_as_the_cpu_does() -> None:
    canvases = torch.from_numpy(np.stack([photo(300, 250, seed) for seed in range(5)]))
    to_canvas = torch.from_numpy(matrices(5))
    on_cpu = warp_image(canvases, to_canvas, (256, 192))
    on_gpu = warp_image(canvases.cuda(), to_canvas.cuda(), (256, 192)).cpu()
    torch.testing.assert_close(on_gpu, on_cpu, atol=0.05, rtol=0)
