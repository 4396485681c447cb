"""Stored codes -> heatmaps, on the device: only integers are copied there."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.codec.stored_codec import StoredCodec
from cache_tools.codec.windows import WindowsCodec
from student.heatmaps.device_windows import DeviceWindows, decode_windows


@dataclass(frozen=True, kw_only=True)
class DeviceCodec:
    """A store's codec as tensors on one device."""

    #: value = code * step, which is faster than a table; for a codec whose levels are evenly spaced
    step: float
    #: (256,) float32, code -> value; None where the levels are evenly spaced
    levels: Tensor | None
    #: (h, h') float32; None where the codec does not resample
    synthesis_y: Tensor | None
    #: (w', w) float32
    synthesis_x_transposed: Tensor | None
    #: the basis of the codec `windows`, for which the other fields are not used; None: another codec
    windows: DeviceWindows | None = None

    @classmethod
    def of(cls, codec: StoredCodec, device: torch.device | str = "cpu") -> "DeviceCodec":
        """Return the tensors of `codec` on `device`."""
        if isinstance(codec, WindowsCodec):
            windows = DeviceWindows.of(codec, device)
            return cls(step=1.0, levels=None, synthesis_y=None, synthesis_x_transposed=None, windows=windows)

        def tensor(array: NDArray[np.floating] | None) -> Tensor | None:
            return None if array is None else torch.tensor(array, dtype=torch.float32, device=device)

        synthesis_y, synthesis_x = codec.synthesis or (None, None)
        step, power = codec.spacing or (1.0, 0)
        return cls(
            step=step,
            levels=None if power == 1 else tensor(codec.levels),
            synthesis_y=tensor(synthesis_y),
            synthesis_x_transposed=tensor(None if synthesis_x is None else synthesis_x.T),
        )


def decode_codes(codes: Tensor, codec: DeviceCodec) -> Tensor:
    """Decode stored codes (B, K, h', w') to heatmaps (B, K, h, w) float32: a table, then two matrix products."""
    if codec.windows is not None:
        return decode_windows(codes, codec.windows)
    maps = decode_values(codes, codec)
    if codec.synthesis_x_transposed is not None:
        maps = maps @ codec.synthesis_x_transposed
    if codec.synthesis_y is not None:
        maps = codec.synthesis_y @ maps
    return maps


def decode_values(codes: Tensor, codec: DeviceCodec) -> Tensor:
    """Return the values (B, K, h', w') float32 of stored codes, before the codec resamples them."""
    return codes.float().mul_(codec.step) if codec.levels is None else codec.levels.take(codes.long())
