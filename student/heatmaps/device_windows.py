"""Codes of the codec `windows` -> heatmaps or parts of them, on the device. Every sum is exact, in any order."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cache_tools.codec.windows import WindowsCodec


@dataclass(frozen=True, kw_only=True)
class DeviceWindows:
    """The codec `windows` as tensors on one device."""

    #: (height, width) of the whole maps, in cells
    heatmap_size: tuple[int, int]
    #: of a window, in cells
    side: int
    #: (n, side * side) float32
    basis: Tensor

    @classmethod
    def of(cls, codec: WindowsCodec, device: torch.device | str) -> "DeviceWindows":
        """Return the tensors of `codec` on `device`."""
        return cls(heatmap_size=codec.heatmap_size, side=codec.side, basis=torch.tensor(codec.windows, device=device))


def decode_windows(codes: Tensor, codec: DeviceWindows) -> Tensor:
    """Decode codes (..., K, 4, 2 + n) to heatmaps (..., K, h, w) float32."""
    flat = codes.flatten(0, -3)
    corner = torch.zeros(len(flat), 2, dtype=torch.long, device=codes.device)
    return _drawn(flat, codec, corner, codec.heatmap_size).view(*codes.shape[:-2], *codec.heatmap_size)


def decode_window_patches(codes: Tensor, codec: DeviceWindows, corner: Tensor, side: int) -> Tensor:
    """Return the parts (N, side, side) of the maps of codes (N, 4, 2 + n), 0 outside of the map.

    corner: (N, 2) integers, the cell (x, y) of the map that is the part's first one.
    """
    return _drawn(codes, codec, corner.flip(-1), (side, side))


def _drawn(codes: Tensor, codec: DeviceWindows, corner: Tensor, size: tuple[int, int]) -> Tensor:
    """Return parts (N, *size) of the maps of codes (N, 4, 2 + n). corner: (N, 2) row and column of a part's first cell.

    Each slot has one window a map, and therefore no two values for one cell.
    """
    count, (height, width) = len(codes), size
    # cells that are not shown go into one more cell, which is cut off
    maps = codec.basis.new_zeros(count * height * width + 1)
    outside = maps.numel() - 1
    steps = torch.arange(codec.side, device=codes.device) - codec.side // 2
    # the last cell of the map and of the part, as counted in the part; a tensor of both sides would wait for the device
    sides = zip(codec.heatmap_size, size, corner.unbind(-1), strict=True)
    past = torch.stack([(limit - first_cell).clamp(max=side) for limit, side, first_cell in sides], -1)[..., None]
    first = (-corner).clamp(min=0)[..., None]
    for slot in codes.unbind(-2):
        # a GPU would be waited for by `nonzero`, and adds windows of zeros as fast
        used = slice(None) if codes.device.type != "cpu" else slot[:, 2:].any(dim=1).nonzero()[:, 0]
        cells = (slot[used, :2].long() - corner[used])[..., None] + steps  # (M, 2, side)
        is_shown = (cells >= first[used]) & (cells < past[used])
        # twice `outside` overflows nothing
        rows, columns = torch.where(is_shown, cells, outside).unbind(1)
        rows = torch.where(is_shown[:, 0], rows * width, outside)
        start = torch.arange(count, device=codes.device)[used] * (height * width)
        index = (start[:, None] + rows)[:, :, None] + columns[:, None, :]
        values = slot[used, 2:].contiguous().view(torch.int8).float() @ codec.basis
        maps.scatter_add_(0, index.clamp_(max=outside).flatten(), values.flatten())
    return maps[:-1].view(count, height, width)
