"""Crops of the student from stored pixels, on the device that trains: one bilinear look at the canvas."""

import torch
import torch.nn.functional as F
from torch import Tensor

from student.heatmaps.sampling import sampling_grid

CANVASES_AT_ONCE, ON_A_GPU = 2, 16  # their float copies stay in a CPU's cache, and small in a GPU's memory


def warp_image(
    canvas: Tensor, matrix: Tensor, size: tuple[int, int], gain: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Crops (B, 3, h, w) float32 in 0..255 from canvases uint8 (B, H, W, 3): bilinear, black outside the canvas.

    matrix (B, 2, 3): crop pixel -> canvas pixel. gain and bias (B, 3), given together, change colours within 0..255.
    Bilinear, so a canvas much denser than the crop would alias: student/photos.py shrinks it before.
    """
    crops = torch.empty(len(canvas), 3, *size, device=canvas.device)
    at_once = CANVASES_AT_ONCE if canvas.device.type == "cpu" else ON_A_GPU
    for start in range(0, len(canvas), at_once):
        part = slice(start, start + at_once)
        pixels = canvas[part].permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        grid = sampling_grid(matrix[part], (canvas.shape[1], canvas.shape[2]), size)
        crop = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        if gain is not None and bias is not None:
            crop.mul_(gain[part, :, None, None]).add_(bias[part, :, None, None]).clamp_(0, 255)
        crops[part] = crop
    return crops
