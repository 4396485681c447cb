"""No teacher: blank heatmaps, for a store of crops and labels from which students learn without distillation."""

import numpy as np

from student.pose_network import Crops, Maps


class BlankTeacher:
    """Knows nothing; `distill.mode: cached` refuses its stores. Blank maps cost a store a byte or two a row."""

    name, digest, licence = "none", "none", "none needed"
    frame, sigma = "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)

    def __call__(self, crops: Crops) -> Maps:
        """Zeros (B, 17, 64, 48) for crops (B, 256, 192, 3)."""
        return np.zeros((len(crops), 17, *self.heatmap_size), np.float32)
