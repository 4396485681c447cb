"""Where pixels of stored crops are kept between epochs: what `train.pixels` means on a machine."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cache_tools.geometry import crop_to_image
from cache_tools.store.writer import HeatmapStore
from student.batches.kept_pixels import SHRINKS
from student.batches.pixel_source import pixel_size
from student.batches.stream import StreamSettings
from student.host_memory import available_bytes
from student.settings import STUDENT_FRAME, Pixels

GIB = 2**30
# of a GPU's free memory: networks, their gradients and a batch's activations need the rest
DEVICE_SHARE = 0.5
# of the host's available memory that stays free, and at the least so many bytes
RESERVE_SHARE, RESERVE_BYTES = 0.25, 2 * GIB
# with less of the crops in memory than this share, `auto` keeps none
USEFUL_SHARE = 0.05
# more bytes than any memory has
ANY = 2**62


@dataclass(frozen=True, kw_only=True)
class PixelChoice:
    """Where pixels are kept."""

    place: Literal["jpeg", "memory", "device"]
    #: bytes of pixels that are kept at most
    budget: int = 0
    #: bytes that stay available on the host
    reserve: int = 0
    #: why, for the log
    reason: str

    def __str__(self) -> str:
        """Return the choice and its reason as a message of one line."""
        done = {
            "jpeg": "decoded for every view",
            "memory": "decoded once, then kept in memory",
            "device": "decoded once, then kept on the device",
        }
        return f"pixels: {done[self.place]}: {self.reason}"


def choose_pixels(
    settings: StreamSettings, needed: int, device: torch.device, *, stored: bool, cut_on_device: bool
) -> PixelChoice:
    """Return what `train.pixels` means for `needed` bytes of decoded crops.

    stored: pixels are a store's crops, not photos of a folder. cut_on_device: views are cut on the device.
    Raises ValueError where pixels can't be kept where the setting says.
    """
    setting = settings.pixels
    if not stored:
        if setting in ("memory", "device"):
            raise ValueError(
                f"train.pixels is {setting}, but pixels come from a folder of photos, which are not kept: set it to "
                "auto or jpeg, or build the store with crops"
            )
        return PixelChoice(place="jpeg", reason="they are photos of a folder")
    if setting == "jpeg":
        return PixelChoice(place="jpeg", reason="train.pixels is jpeg")
    if setting == "device" and not cut_on_device:
        raise ValueError(
            "train.pixels is device, but views are cut on the CPU (there is no GPU, or the teacher is live): "
            "set it to auto, memory or jpeg"
        )
    if setting == "auto" and settings.epochs <= 1:
        return PixelChoice(place="jpeg", reason="there is one epoch")
    limit = None if settings.pixels_gib is None else int(settings.pixels_gib * GIB)
    if cut_on_device and setting != "memory":
        choice = _on_device(limit, needed, device, setting)
        if choice is not None:
            return choice
    return _in_memory(limit, needed, setting)


def needed_bytes(store: HeatmapStore, rows: NDArray[np.int64], settings: StreamSettings) -> int:
    """Return the bytes of the crops of rows, at the densities that views of them need; an estimate.

    Half-body views count as the nearest ones.
    """
    plain = pixel_size(crop_to_image(store.instances.box[rows], STUDENT_FRAME, settings.input_size))
    density = plain / pixel_size(store.read_crop_matrices(rows))  # stored pixels per view pixel, at zoom 1
    augment = settings.augment
    nearest, farthest = augment.scale_range if augment.scale_sd else (1.0, 1.0)
    nearest = 0.0 if augment.half_body else nearest
    total = 0
    for shrink, coarser in zip(SHRINKS, (*SHRINKS[1:], np.inf), strict=True):
        lowest = 0 if shrink == 1 else shrink
        viewed = (farthest * density >= lowest) & (nearest * density < coarser)
        sizes = -(-store.read_crop_sizes(rows[viewed]) // shrink)
        total += 3 * int(sizes.prod(1).sum())
    return total


def _on_device(limit: int | None, needed: int, device: torch.device, setting: Pixels) -> PixelChoice | None:
    """Return the choice of the device; None where `auto` finds that not all crops fit."""
    if device.type != "cuda":
        return PixelChoice(place="device", budget=_smallest(limit, needed), reason="the device is the CPU itself")
    free = torch.cuda.mem_get_info(device)[0]
    room = _smallest(limit, needed, int(DEVICE_SHARE * free))
    reason = f"they need {_gib(needed)}, the GPU has {_gib(free)} free"
    if setting == "device":
        return PixelChoice(place="device", budget=room, reason=f"train.pixels is device; {reason}")
    return PixelChoice(place="device", budget=room, reason=reason) if room >= needed else None


def _in_memory(limit: int | None, needed: int, setting: Pixels) -> PixelChoice:
    available = available_bytes()
    if available is None:
        if setting == "auto":
            return PixelChoice(place="jpeg", reason="the system does not tell how much memory is available")
        budget = _smallest(limit, ANY)
        return PixelChoice(place="memory", budget=budget, reason="train.pixels is memory")
    reserve = max(RESERVE_BYTES, int(RESERVE_SHARE * available))
    budget = _smallest(limit, max(0, available - reserve))
    reason = f"they need {_gib(needed)}, {_gib(available)} are available, of which {_gib(reserve)} stay free"
    if setting == "auto" and budget < USEFUL_SHARE * needed:
        return PixelChoice(place="jpeg", reason=reason)
    kept = "" if budget >= needed else f"; {_gib(budget)} are kept, the rest is decoded for every view"
    return PixelChoice(place="memory", budget=budget, reserve=reserve, reason=reason + kept)


def _smallest(limit: int | None, *others: int) -> int:
    return min(others) if limit is None else min(limit, *others)


def _gib(size: int) -> str:
    return f"{size / GIB:.2g} GiB"
