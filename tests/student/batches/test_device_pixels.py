"""Crops on the device: canvases are those of padding each crop by itself, wherever the crop is kept."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from student.batches.device_pixels import DevicePixels, StagedCrop, gather_canvases
from student.batches.warp import warp_crops, warp_image

CPU, META = torch.device("cpu"), torch.device("meta")
CANVAS = (9, 7)
ROWS = 6
CROPS = [np.random.default_rng(row).integers(1, 256, (4 + row % 6, 2 + row, 3), np.uint8) for row in range(ROWS)]


def padded(rows: list[int]) -> NDArray[np.uint8]:
    """Return each crop at the top left of a black canvas."""
    canvases = np.zeros((len(rows), *CANVAS, 3), np.uint8)
    for canvas, row in zip(canvases, rows, strict=True):
        height, width = CROPS[row].shape[:2]
        canvas[:height, :width] = CROPS[row]
    return canvases


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=5), min_size=1, max_size=8),
    budget=st.integers(0, 600),
    lag=st.integers(0, 2),
)
def test_batches_are_the_same_whatever_is_kept(batches: list[list[int]], budget: int, lag: int) -> None:
    """Threads stage a batch when up to `lag` of those before it have not been received yet."""
    largest = max(crop.size for crop in CROPS)
    device_pixels = DevicePixels(budget, 5 * largest, CPU)
    waiting: list[tuple[list[int], torch.Tensor, list[StagedCrop]]] = []

    def receive() -> None:
        rows, pixels, staged = waiting.pop(0)
        device_pixels.receive(pixels, staged)
        start = torch.from_numpy(device_pixels.place(np.array(rows), np.ones(len(rows), np.int64), staged))
        size = torch.tensor([CROPS[row].shape[:2] for row in rows])
        canvases = gather_canvases(device_pixels.pixels, start, size, CANVAS)
        assert np.array_equal(canvases.numpy(), padded(rows))

    for rows in batches:
        pixels, staged, start = torch.zeros(5 * largest, dtype=torch.uint8), [], 0
        for index, row in enumerate(rows):
            if not device_pixels.holds(row, 1):
                crop = torch.from_numpy(CROPS[row]).flatten()
                pixels[start : start + len(crop)] = crop
                staged.append(StagedCrop(index, row, 1, start, len(crop)))
                start += len(crop)
        waiting.append((rows, pixels, staged))
        if len(waiting) > lag:
            receive()
    while waiting:
        receive()


def test_a_crop_that_fits_is_kept_and_not_sent_again() -> None:
    device_pixels = DevicePixels(CROPS[0].size + CROPS[1].size, 1000, CPU)
    for row, holds in ((0, True), (1, True), (2, False)):
        pixels = torch.from_numpy(CROPS[row]).flatten()
        device_pixels.receive(pixels, [StagedCrop(0, row, 1, 0, len(pixels))])
        assert device_pixels.holds(row, 1) == holds
        assert not device_pixels.holds(row, 2)


@pytest.mark.parametrize("device", [META, pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)])
def test_views_are_cut_without_waiting_for_the_device(device: torch.device) -> None:
    device_pixels = DevicePixels(500, 1000, device)
    pixels = torch.from_numpy(CROPS[0]).flatten()
    device_pixels.receive(pixels, [StagedCrop(0, 0, 1, 0, len(pixels))])
    start, size = torch.zeros(4, dtype=torch.int64, device=device), torch.ones(4, 2, dtype=torch.int64, device=device)
    matrix = torch.zeros(4, 2, 3, device=device)
    crops = warp_crops(device_pixels.pixels, start, size, CANVAS, matrix, (16, 8))
    assert (crops.device.type, crops.shape) == (device.type, (4, 3, 16, 8))


def test_views_are_those_of_padded_crops() -> None:
    rows = [3, 0, 5]
    flat = np.concatenate([CROPS[row].ravel() for row in rows])
    start = torch.tensor(np.cumsum([0, *(CROPS[row].size for row in rows[:-1])]))
    size = torch.tensor([CROPS[row].shape[:2] for row in rows])
    matrix = torch.from_numpy(np.random.default_rng(2).normal(0.5, 1, (3, 2, 3)))
    found = warp_crops(torch.from_numpy(flat), start, size, CANVAS, matrix, (16, 8))
    assert torch.equal(found, warp_image(torch.from_numpy(padded(rows)), matrix, (16, 8)))
