"""The highest peaks of a store's cached maps, found once a row: a map is decoded whole for this, and never again."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.codec.profiles import Codes
from student.heatmaps.decode import find_peaks
from student.heatmaps.device_codec import DeviceCodec, decode_codes

# rows that are decoded together, always the same ones: a row's peaks to the last bit do not depend on its batch
BLOCK_ROWS = 8
# on a GPU, where all are found at once
GPU_BLOCK_ROWS = 256


class PeakTable:
    """Peaks (K, 2) in cells of the first `rows` rows, found when a row is first read. Safe from several threads.

    codes_of: returns codes (B, K, h', w') of rows. codec: on the CPU. stored: rows of the store.
    """

    def __init__(
        self,
        codes_of: Callable[[NDArray[np.int64]], Codes],
        codec: DeviceCodec,
        *,
        rows: int,
        stored: int,
        joints: int,
    ) -> None:
        self._codes_of, self._codec = codes_of, codec
        blocks = -(-rows // BLOCK_ROWS)
        self._xy = np.empty((min(blocks * BLOCK_ROWS, stored), joints, 2), np.float32)
        self._found = np.zeros(blocks, np.bool_)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the peaks (B, K, 2) of rows."""
        blocks = rows // BLOCK_ROWS
        for block in np.unique(blocks[~self._found[blocks]]).tolist():
            # two threads may find the same ones, which are equal
            within = np.arange(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, len(self._xy)))
            codes = torch.from_numpy(self._codes_of(within))
            self._xy[within] = find_peaks(decode_codes(codes, self._codec)).numpy()
            self._found[block] = True
        return self._xy[rows]


def peaks_on_device(codes: Tensor, codec: DeviceCodec) -> Tensor:
    """Return the peaks (N, K, 2) of codes (N, K, h', w'), on their device."""
    starts = range(0, len(codes), GPU_BLOCK_ROWS)
    return torch.cat([find_peaks(decode_codes(codes[start : start + GPU_BLOCK_ROWS], codec)) for start in starts])
