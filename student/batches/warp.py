"""The student's crops from stored pixels, on the device that trains, by one bilinear sampling of the canvas."""

from collections.abc import Callable

import torch
from torch import Tensor

from student.batches.device_pixels import gather_canvases
from student.heatmaps.sampling import sample_grid, sampling_grid

# canvases converted to float at once: their copies fit a CPU's cache, and take little of a GPU's memory
CPU_CANVASES, GPU_CANVASES = 2, 16


def warp_image(
    canvas: Tensor, matrix: Tensor, size: tuple[int, int], gain: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Return crops (B, 3, h, w) float32 in 0..255 of canvases uint8 (B, H, W, 3): bilinear, black outside the canvas.

    matrix (B, 2, 3): crop pixel -> canvas pixel. gain and bias (B, 3), given together, change colours within 0..255.
    A canvas much denser than the crop would alias: `PixelSource` shrinks it before.
    """
    return _warp(lambda part: canvas[part], matrix, size, gain, bias)


def warp_crops(
    pixels: Tensor,
    start: Tensor,
    crop_size: Tensor,
    canvas_size: tuple[int, int],
    matrix: Tensor,
    size: tuple[int, int],
    gain: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Return what `warp_image` returns of the canvases that `gather_canvases` makes, a few of them at a time."""
    return _warp(
        lambda part: gather_canvases(pixels, start[part], crop_size[part], canvas_size), matrix, size, gain, bias
    )


def _warp(
    canvases: Callable[[slice], Tensor],
    matrix: Tensor,
    size: tuple[int, int],
    gain: Tensor | None,
    bias: Tensor | None,
) -> Tensor:
    crops = torch.empty(len(matrix), 3, *size, device=matrix.device)
    at_once = CPU_CANVASES if matrix.device.type == "cpu" else GPU_CANVASES
    for start in range(0, len(matrix), at_once):
        part = slice(start, start + at_once)
        canvas = canvases(part)
        pixels = canvas.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        grid = sampling_grid(matrix[part], (canvas.shape[1], canvas.shape[2]), size)
        crop = sample_grid(pixels, grid)
        if gain is not None and bias is not None:
            crop.mul_(gain[part, :, None, None]).add_(bias[part, :, None, None]).clamp_(0, 255)
        crops[part] = crop
    return crops
