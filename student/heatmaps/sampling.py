"""Affine matrices between pixels, as the grids that torch's `grid_sample` takes."""

import torch
from torch import Tensor


def sampling_grid(matrix: Tensor, source_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return grid_sample's grid (B, h, w, 2), align_corners=True, of matrices (B, 2, 3) destination -> source pixel.

    source_size, size: (height, width) of source and destination.
    """
    (source_height, source_width), (height, width) = source_size, size
    matrix = matrix.float()
    scaled = torch.stack([matrix[:, 0] * (2 / (source_width - 1)), matrix[:, 1] * (2 / (source_height - 1))], dim=1)
    columns = scaled[:, :, :1] * torch.arange(width, device=matrix.device)  # (B, 2, w)
    rows = scaled[:, :, 1:2] * torch.arange(height, device=matrix.device) + scaled[:, :, 2:] - 1  # (B, 2, h)
    # (B, 2, h, w): grid_sample reads planes faster than pairs
    planes = rows[..., :, None] + columns[..., None, :]
    return planes.permute(0, 2, 3, 1)
