"""No teacher: blank heatmaps, for a store of crops and labels from which students learn without distillation."""

import numpy as np

from cache_tools.skeletons import COCO, Skeleton
from pipeline.teachers.names import options_of
from student.pose_network import Crops, Maps


class BlankTeacher:
    """Blank heatmaps, which `distill.mode: cached` refuses; they cost a store a byte or two a row.

    There is one for every joint of the data, whatever they are.
    """

    name, digest, licence = "none", "none", "none needed"
    frame, sigma = "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)
    joints: tuple[str | None, ...] | None = None

    def __init__(self, reference: str = "none", skeleton: Skeleton | None = None) -> None:
        """Refuse options: there are none. skeleton: of the data; None: COCO's."""
        self.skeleton: Skeleton | None = skeleton or COCO
        options_of(reference, ())

    def __call__(self, crops: Crops) -> Maps:
        """Return zeros (B, K, 64, 48) for crops (B, 256, 192, 3)."""
        return np.zeros((len(crops), len(self.skeleton or COCO), *self.heatmap_size), np.float32)
