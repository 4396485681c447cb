"""One slot of the loader's ring: the arrays of a batch that a thread fills, pinned where the device is a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from student.batches.device_pixels import StagedCrop
from student.batches.plan import BatchPlan

#: name -> shape and type of an array
Shapes = Mapping[str, tuple[tuple[int, ...], torch.dtype]]


@dataclass(kw_only=True)
class Slot:
    """The arrays of one batch on the CPU, by name."""

    arrays: dict[str, Tensor]
    #: set when the device has read the arrays
    copied: torch.cuda.Event | None = None
    plan: BatchPlan | None = None
    #: where views are cut on the device: shrinks (B,) of the crops, and those that it does not hold yet
    shrinks: NDArray[np.int64] | None = None
    staged: list[StagedCrop] = field(default_factory=list)

    @classmethod
    def of(cls, shapes: Shapes, *, pinned: bool) -> "Slot":
        """Return a slot with arrays of these shapes."""
        return cls(
            arrays={name: torch.empty(shape, dtype=dtype, pin_memory=pinned) for name, (shape, dtype) in shapes.items()}
        )

    def write(self, name: str, values: NDArray[Any]) -> None:
        """Copy `values` into the slot's array of that name."""
        np.copyto(self.view(name), values, casting="same_kind")

    def view(self, name: str) -> NDArray[Any]:
        """Return the slot's array as a numpy array on the same memory."""
        array: NDArray[Any] = self.arrays[name].numpy()
        return array
