"""Python teachers that return what a teacher must not, as references: `tests.samples.wrong_teachers:float64`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cache_tools.skeletons import COCO, Skeleton
from student.pose_network import digest_of
from tests.samples.constant_onnx import peaks

Change = Callable[[np.ndarray], Any]


class ChangedPeaks:
    """The same peaks for every crop, changed."""

    licence, frame, sigma = "none", "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None

    def __init__(self, name: str, change: Change) -> None:
        self.name, self.digest, self.change = name, digest_of("changed peaks", name), change

    def __call__(self, crops: np.ndarray) -> Any:
        """Return what the change makes of heatmaps (B, 17, 64, 48)."""
        return self.change(np.repeat(peaks(), len(crops), axis=0))


def factory(name: str, change: Change) -> Callable[[str], ChangedPeaks]:
    """Return a factory as a reference names it."""
    return lambda device: ChangedPeaks(name, change)


right = factory("right", lambda maps: maps)
grad = factory("grad", lambda maps: torch.from_numpy(maps).requires_grad_())
float64 = factory("float64", lambda maps: maps.astype(np.float64))
shape = factory("shape", lambda maps: maps[:, :, ::2, ::2])
nan = factory("nan", lambda maps: maps * np.nan)
infinity = factory("infinity", lambda maps: np.where(maps > 0.5, np.float32(np.inf), maps))
bytes_range = factory("bytes_range", lambda maps: 255 * maps)
probabilities = factory("probabilities", lambda maps: maps / maps.sum(axis=(2, 3), keepdims=True))
