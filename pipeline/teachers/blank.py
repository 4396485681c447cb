"""No teacher: blank heatmaps, for a store of crops and labels from which students learn without distillation."""

import numpy as np

from cache_tools.coco import JOINTS
from pipeline.teachers.names import options_of
from student.pose_network import Crops, Maps


class BlankTeacher:
    """Blank heatmaps, which `distill.mode: cached` refuses; they cost a store a byte or two a row."""

    name, digest, licence = "none", "none", "none needed"
    frame, sigma = "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)

    def __init__(self, reference: str = "none") -> None:
        """Refuse options: there are none."""
        options_of(reference, ())

    def __call__(self, crops: Crops) -> Maps:
        """Return zeros (B, 17, 64, 48) for crops (B, 256, 192, 3)."""
        return np.zeros((len(crops), JOINTS, *self.heatmap_size), np.float32)
