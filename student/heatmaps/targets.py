"""Training targets of a student: one Gaussian a joint, and whether the joint counts.

Points are (x, y) in heatmap cells with cell centres at integers. CPU and CUDA run the same code, and nothing here waits
for the device.
"""

import torch
from torch import Tensor


def render_targets(xy_cells: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Draw Gaussians (B, K, h, w) float32 of height 1 around points (B, K, 2), which may lie between cells.

    Equation 3 of the paper; sigma in cells.
    """
    height, width = size
    x, y = (xy_cells.float() / sigma).unbind(-1)
    columns = torch.arange(width, device=x.device, dtype=torch.float32) / sigma
    rows = torch.arange(height, device=x.device, dtype=torch.float32) / sigma
    along_x = torch.exp((columns - x[..., None]).square_().mul_(-0.5))  # (B, K, w)
    along_y = torch.exp((rows - y[..., None]).square_().mul_(-0.5))  # (B, K, h)
    return along_y[..., :, None] * along_x[..., None, :]


def target_weight(xy_cells: Tensor, visibility: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (B, K) float32: 1.0 for a labelled joint whose point (B, K, 2) lies on a cell of the map, else 0.0.

    visibility: (B, K), above 0 where the joint is labelled (COCO).
    """
    x, y = xy_cells.unbind(-1)
    inside = (x >= -0.5) & (x < size[1] - 0.5) & (y >= -0.5) & (y < size[0] - 0.5)
    return (inside & (visibility > 0)).float()
