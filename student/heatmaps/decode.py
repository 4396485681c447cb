"""Heatmaps -> keypoints to a fraction of a cell.

Points are (x, y) in heatmap cells with cell centres at integers; maps are float32 (B, K, h, w). CPU and CUDA run the
same code, and nothing here waits for the device.
"""

from functools import lru_cache

import torch
from torch import Tensor

# cells; the official decoder calls cv2.GaussianBlur with kernel 11 and sigma 0, which OpenCV takes as sigma 2.0
DARK_KERNEL, DARK_SIGMA = 11, 2.0


def dark_decode(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return keypoints (B, K, 2) in cells, and scores (B, K): the largest value of each map (B, K, h, w).

    From the largest cell, one Newton step on the logarithm of the blurred map: Zhang et al., DARK, CVPR 2020, with the
    indices and constants of UDP's `post_dark_udp`. A step longer than half the blur's kernel (of a flat map) is not
    taken. The blur mirrors the map at its border, which draws a peak nearer than 5 cells to the border towards it, as
    in the original.
    """
    maps = maps.float()
    x, y, score = largest_cell(maps)
    return _newton_step(x, y, _blurred_neighbourhood(maps, x, y), limit=DARK_KERNEL // 2), score


def find_peaks(maps: Tensor) -> Tensor:
    """Return the highest peak (B, K, 2) of each map in cells, without a blur.

    Exact for a Gaussian, near the border as well.
    """
    x, y, _ = largest_cell(maps)
    (height, width), around = maps.shape[-2:], torch.arange(-1, 2, device=maps.device)
    rows = (y[..., None] + around).clamp(0, height - 1)[..., :, None]
    columns = (x[..., None] + around).clamp(0, width - 1)[..., None, :]
    cells = maps.flatten(-2).gather(-1, (rows * width + columns).flatten(-2))  # (B, K, 9)
    return _newton_step(x, y, cells.view(*cells.shape[:-1], 3, 3), limit=1)


def largest_cell(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, y (integers) and value (B, K) of each map's largest cell."""
    # rows first: the largest value of a row is found by vector instructions, its place is not
    y = maps.amax(-1).argmax(-1)  # (B, K)
    row = maps.gather(-2, y[..., None, None].expand(*y.shape, 1, maps.shape[-1])).squeeze(-2)
    value, x = row.max(-1)
    return x, y, value


def _newton_step(x: Tensor, y: Tensor, neighbourhood: Tensor, limit: float) -> Tensor:
    """Return points (B, K, 2): cells (x, y) moved one Newton step towards the peak of the logarithm of their 3x3 cells.

    neighbourhood: (B, K, 3, 3). A step longer than `limit` cells along an axis is not taken.
    """
    log = neighbourhood.clamp(0.001, 50).log()
    (up_left, up, _), (left, centre, right), (_, down, down_right) = (row.unbind(-1) for row in log.unbind(-2))
    dx, dy = (right - left) / 2, (down - up) / 2
    dxx, dyy = right - 2 * centre + left, down - 2 * centre + up
    dxy = (down_right - right - down + 2 * centre - left - up + up_left) / 2
    determinant = dxx * dyy - dxy.square()
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / determinant[..., None]
    # false for NaN, which a flat map gives
    taken = (step.abs() <= limit).all(-1, keepdim=True)
    return torch.stack([x, y], dim=-1) + torch.where(taken, step, 0.0)


def _blurred_neighbourhood(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the blurred maps' 3x3 cells (B, K, 3, 3) around (x, y), their border repeated; blurs only those cells."""
    height, width = maps.shape[-2:]
    around = torch.arange(-1, 2, device=maps.device)
    rows = _blur_matrix(height, maps.device)[(y[..., None] + around).clamp(0, height - 1)]  # (B, K, 3, h)
    columns = _blur_matrix(width, maps.device)[(x[..., None] + around).clamp(0, width - 1)]  # (B, K, 3, w)
    return rows @ maps @ columns.mT


@lru_cache(maxsize=32)
def _blur_matrix(cells: int, device: torch.device) -> Tensor:
    """Return the Gaussian blur of one axis as a matrix (cells, cells); it mirrors the map about its border cells.

    The border is OpenCV's default, BORDER_REFLECT_101.
    """
    # by torch, and not from the host: torch.compile has it in the graph of the decoder
    offsets = torch.arange(DARK_KERNEL, device=device) - DARK_KERNEL // 2
    kernel = torch.exp(-0.5 * (offsets.double() / DARK_SIGMA).square())
    period = max(2 * (cells - 1), 1)
    mirrored = ((torch.arange(cells, device=device)[:, None] + offsets + cells - 1) % period - (cells - 1)).abs()
    matrix = torch.zeros(cells, cells, dtype=torch.float64, device=device)
    return matrix.scatter_add_(1, mirrored, (kernel / kernel.sum()).expand(cells, -1)).float()
