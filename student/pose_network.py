"""What every network is to the code that runs one, be it a teacher, a student or an ONNX file."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cache_tools.skeletons import Skeleton

Crops = NDArray[np.uint8]  # (B, height, width, 3) RGB
Maps = NDArray[np.float32]  # (B, K, cells down, cells across)


class PoseNetwork(Protocol):
    """Person crops in, heatmaps out, and what a store must know of the network. Sizes are (height, width)."""

    @property
    def name(self) -> str:
        """Return the name that tables and stores give it."""

    @property
    def digest(self) -> str:
        """Return the sha256 over weights and preprocessing: equal exactly when the networks are."""

    @property
    def licence(self) -> str:
        """Return the licence of its weights, which its heatmaps stay under."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Return the size of a crop in pixels."""

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Return the size of a heatmap in cells."""

    @property
    def frame(self) -> str:
        """Return "udp" or "stride": where a heatmap cell lies in the crop (cache_tools/geometry.py)."""

    @property
    def sigma(self) -> float:
        """Return the standard deviation of its peaks, in heatmap cells."""

    @property
    def skeleton(self) -> Skeleton | None:
        """Return the K joints of its heatmaps; None where the network does not say.

        Such a network is taken for one of COCO's joints on data of COCO's joints only.
        """

    @property
    def joints(self) -> tuple[str | None, ...] | None:
        """Return what the network calls each joint of its heatmaps, None for one that it does not know.

        None: each as its skeleton does. Only a network that was put in other joints' places says something else
        (pipeline/teachers/translated.py); the heatmaps of joints that it does not know are blank.
        """

    def __call__(self, crops: Crops, /) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""


def digest_of(*parts: str | Path) -> str:
    """Return the sha256 (hex) over the content of files (Path) and over text (str), in the order given."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        else:
            total.update(hashlib.sha256(part.encode()).digest())
    return total.hexdigest()
