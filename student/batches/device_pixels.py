"""Crops on the device, from which views are cut there: those that are kept, and those that came with the batch.

Both lie in one tensor, one crop after the other without padding. CPU and CUDA run the same code, and nothing here waits
for the device.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class StagedCrop:
    """A crop that a thread wrote to a slot, because the device did not hold it."""

    #: in the batch
    index: int
    row: int
    shrink: int
    #: in the slot's pixels, in bytes
    start: int
    size: int


class DevicePixels:
    """The crops of one process: up to `budget` bytes are kept, and `batch_bytes` hold those of the current batch.

    Only `receive` writes, in the order of the batches and on the stream that copies; threads ask `holds`.
    """

    def __init__(self, budget: int, batch_bytes: int, device: torch.device) -> None:
        self._budget, self._kept = budget, 0
        #: (bytes,) uint8
        self.pixels = torch.empty(budget + batch_bytes, dtype=torch.uint8, device=device)
        #: row and shrink -> first byte
        self._starts: dict[tuple[int, int], int] = {}

    def holds(self, row: int, shrink: int) -> bool:
        """Return whether the device has a crop in every batch from now on."""
        return (row, shrink) in self._starts

    def place(self, rows: NDArray[np.int64], shrinks: NDArray[np.int64], staged: list[StagedCrop]) -> NDArray[np.int64]:
        """Return the first byte (B,) in `pixels` of each crop of a batch whose staged ones were received."""
        came = {crop.index: self._budget + crop.start for crop in staged}
        pairs = zip(rows.tolist(), shrinks.tolist(), strict=True)
        return np.array([came[i] if i in came else self._starts[pair] for i, pair in enumerate(pairs)], np.int64)

    def receive(self, pixels: Tensor, staged: list[StagedCrop]) -> None:
        """Copy the staged crops of a batch to the device, and keep those that fit."""
        if not staged:
            return
        used = staged[-1].start + staged[-1].size
        came = self.pixels[self._budget : self._budget + used]
        came.copy_(pixels[:used], non_blocking=True)
        for crop in staged:
            if self._kept + crop.size <= self._budget and not self.holds(crop.row, crop.shrink):
                self.pixels[self._kept : self._kept + crop.size].copy_(came[crop.start : crop.start + crop.size])
                self._starts[crop.row, crop.shrink] = self._kept
                self._kept += crop.size


def gather_canvases(pixels: Tensor, start: Tensor, size: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Return canvases uint8 (B, H, W, 3) with a crop at the top left of each, black around.

    pixels (bytes,): crops without padding; start (B,): first byte of each; size (B, 2): its height and width.
    """
    height, width = (side[:, None, None] for side in size.unbind(-1))  # (B, 1, 1)
    rows = torch.arange(canvas_size[0], device=pixels.device)[:, None]
    places = torch.arange(3 * canvas_size[1], device=pixels.device)
    inside = (rows < height) & (places < 3 * width)  # (B, H, 3 W)
    index = torch.where(inside, start[:, None, None] + rows * (3 * width) + places, 0)
    return (pixels.take(index) * inside).view(len(start), *canvas_size, 3)
