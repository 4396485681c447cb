"""Bilinear sampling of images and maps, by affine matrices between pixels as the grids that torch takes."""

import torch
from torch import Tensor

# torch's numbers of bilinear interpolation and of zeros outside the source
BILINEAR, ZEROS = 0, 0


def sample_grid(sources: Tensor, grid: Tensor) -> Tensor:
    """Return sources (B, C, H, W) at the points of a `sampling_grid` (B, h, w, 2): (B, C, h, w), bilinear, 0 outside.

    This is `grid_sample`, which on a GPU would take cuDNN's kernel, though, and that refuses more than 65,535 sources
    (pytorch's issue 88380): windows of so many maps are less than 500 persons of COCO-WholeBody.
    """
    return torch.grid_sampler_2d(sources, grid, BILINEAR, ZEROS, align_corners=True)


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
