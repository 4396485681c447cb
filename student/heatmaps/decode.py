"""Heatmaps on the device: targets, store codes -> maps, maps -> keypoints, the flip test's mirror.

Points are (x, y) in heatmap cells with cell centres at integers; maps are float32 (B, K, h, w).
CPU and CUDA run the same code, and nothing here waits for the device.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cache_tools.coco import MIRROR
from cache_tools.codec.profiles import Codec
from cache_tools.geometry import frame_of

DARK_KERNEL, DARK_SIGMA = 11, 2.0  # cells; cv2.GaussianBlur(kernel 11, sigma 0) of the official decoder takes sigma 2.0


def render_targets(xy_cells: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Gaussians (B, K, h, w) of height 1 around points (B, K, 2) that need not be whole cells (paper, equation 3)."""
    height, width = size
    x, y = (xy_cells.float() / sigma).unbind(-1)
    columns = torch.arange(width, device=x.device, dtype=torch.float32) / sigma
    rows = torch.arange(height, device=x.device, dtype=torch.float32) / sigma
    along_x = torch.exp((columns - x[..., None]).square_().mul_(-0.5))  # (B, K, w)
    along_y = torch.exp((rows - y[..., None]).square_().mul_(-0.5))  # (B, K, h)
    return along_y[..., :, None] * along_x[..., None, :]


def target_weight(xy_cells: Tensor, visibility: Tensor, size: tuple[int, int]) -> Tensor:
    """1.0 for a labelled joint whose point (B, K, 2) lies on a cell of the map, else 0.0: (B, K) float32."""
    x, y = xy_cells.unbind(-1)
    inside = (x >= -0.5) & (x < size[1] - 0.5) & (y >= -0.5) & (y < size[0] - 0.5)
    return (inside & (visibility > 0)).float()


@dataclass(frozen=True)
class DeviceCodec:
    """A store's codec as tensors of one device, so that integers travel there and maps are made there."""

    step: float  # of a codec without a table: value = code * step, which is quicker
    levels: Tensor | None  # (256,) float32 code -> value; None: the steps are even
    synthesis_y: Tensor | None  # (h, h') float32; None: no resampling
    synthesis_x_transposed: Tensor | None  # (w', w)

    @classmethod
    def of(cls, codec: Codec, device: torch.device | str = "cpu") -> "DeviceCodec":
        """The tensors of `codec` on `device`."""

        def tensor(array: np.ndarray | None) -> Tensor | None:
            return None if array is None else torch.tensor(array, dtype=torch.float32, device=device)

        levels, x = codec.levels, codec.synthesis_x
        step = 1.0 if levels is None else float(levels[-1]) / (len(levels) - 1)
        linear = levels is None or np.allclose(levels, step * np.arange(len(levels)), rtol=0, atol=1e-7)
        table = None if linear else tensor(levels)
        transposed = tensor(None if x is None else x.T)
        return cls(step, table, tensor(codec.synthesis_y), transposed)


def decode_codes(codes: Tensor, codec: DeviceCodec) -> Tensor:
    """Stored codes (B, K, h', w') -> maps (B, K, h, w) float32: a table, then two matrix products."""
    maps = codes.float().mul_(codec.step) if codec.levels is None else codec.levels.take(codes.long())
    if codec.synthesis_x_transposed is not None:
        maps = maps @ codec.synthesis_x_transposed
    if codec.synthesis_y is not None:
        maps = codec.synthesis_y @ maps
    return maps


@lru_cache(maxsize=8)
def joint_mirror(device: torch.device) -> Tensor:
    """The joint (17,) that each joint of a mirrored person is."""
    return torch.tensor(MIRROR, device=device)


def mirror_maps(maps: Tensor, frame: str) -> Tensor:
    """Maps of a mirrored crop as maps of the crop itself: mirrored back, left and right joints exchanged.

    In the `udp` frame that is all; in the `stride` frame they also move right by one cell (HRNet's rule, its issue 22).
    """
    mirrored = maps[..., joint_mirror(maps.device), :, :].flip(-1)
    if frame_of(frame) == "stride":
        mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
    return mirrored


def dark_decode(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B, K, 2) in cells, and scores (B, K): the largest value of each map (B, K, h, w).

    From the largest cell, one Newton step on the logarithm of the blurred map: Zhang et al., DARK, CVPR 2020, with the
    indices and constants of UDP's `post_dark_udp`. A step beyond the blur's reach (of a flat map) is not taken.
    The blur mirrors the map at its border, so a peak nearer than 5 cells to it is drawn towards it, as in the original.
    """
    maps = maps.float()
    x, y, score = _largest_cell(maps)
    return _newton(x, y, _blurred_neighbourhood(maps, x, y), limit=DARK_KERNEL // 2), score


def find_peaks(maps: Tensor) -> Tensor:
    """The highest peak (B, K, 2) of each map in cells, without a blur: exact for a Gaussian, near the border too."""
    x, y, _ = _largest_cell(maps)
    (height, width), around = maps.shape[-2:], torch.arange(-1, 2, device=maps.device)
    rows = (y[..., None] + around).clamp(0, height - 1)[..., :, None]
    columns = (x[..., None] + around).clamp(0, width - 1)[..., None, :]
    cells = maps.flatten(-2).gather(-1, (rows * width + columns).flatten(-2))  # (B, K, 9)
    return _newton(x, y, cells.unflatten(-1, (3, 3)), limit=1)


def _largest_cell(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x, y (integers) and value (B, K) of each map's largest cell."""
    value, index = maps.flatten(-2).max(-1)
    return index % maps.shape[-1], index // maps.shape[-1], value


def _newton(x: Tensor, y: Tensor, neighbourhood: Tensor, limit: float) -> Tensor:
    """Points (B, K, 2): cells (x, y) and one Newton step towards the peak of the logarithm of their 3x3 (B, K, 3, 3).

    A step longer than `limit` cells along an axis is not taken.
    """
    log = neighbourhood.clamp(0.001, 50).log()
    (ul, u, _), (left, centre, right), (_, d, dr) = (row.unbind(-1) for row in log.unbind(-2))
    dx, dy = (right - left) / 2, (d - u) / 2
    dxx, dyy = right - 2 * centre + left, d - 2 * centre + u
    dxy = (dr - right - d + 2 * centre - left - u + ul) / 2
    determinant = dxx * dyy - dxy.square()
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / determinant[..., None]
    taken = (step.abs() <= limit).all(-1, keepdim=True)  # false for NaN, of a flat map
    return torch.stack([x, y], dim=-1) + torch.where(taken, step, 0.0)


def _blurred_neighbourhood(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The blurred maps' 3x3 cells around (x, y), their border repeated: (B, K, 3, 3), without blurring all the rest."""
    height, width = maps.shape[-2:]
    around = torch.arange(-1, 2, device=maps.device)
    rows = _blur_matrix(height, maps.device)[(y[..., None] + around).clamp(0, height - 1)]  # (B, K, 3, h)
    columns = _blur_matrix(width, maps.device)[(x[..., None] + around).clamp(0, width - 1)]  # (B, K, 3, w)
    return rows @ maps @ columns.mT


@lru_cache(maxsize=32)
def _blur_matrix(cells: int, device: torch.device) -> Tensor:
    """Gaussian blur of one axis as a matrix (cells, cells), the map mirrored about its border cells, as OpenCV does."""
    offsets = np.arange(DARK_KERNEL) - DARK_KERNEL // 2
    kernel = np.exp(-0.5 * (offsets / DARK_SIGMA) ** 2)
    period = max(2 * (cells - 1), 1)
    folded = np.abs((np.arange(cells)[:, None] + offsets + cells - 1) % period - (cells - 1))
    matrix = np.zeros((cells, cells))
    np.add.at(matrix, (np.arange(cells)[:, None], folded), kernel / kernel.sum())
    return torch.tensor(matrix, dtype=torch.float32, device=device)
