"""Maps of a live teacher, asked about every batch: the control that tells what the cache costs or gains."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.geometry import Matrix, cell_to_crop, compose, invert
from student.batches.plan import Plan, between_cells
from student.batches.stream import StreamSettings
from student.heatmaps.replay import replay
from student.pose_network import PoseNetwork


class LiveMaps:
    """What a teacher says of the student's own views. `view` prepares its crops, `maps` asks it."""

    def __init__(self, teacher: PoseNetwork, settings: StreamSettings, device: torch.device) -> None:
        self.teacher, self.settings, self.device = teacher, settings, device
        self.input_size = teacher.input_size
        self._cells = between_cells(settings.heatmap_size, teacher.heatmap_size)
        self._alike = (teacher.heatmap_size, teacher.sigma) == (settings.heatmap_size, settings.sigma)

    def view(self, plan: Plan) -> Matrix:
        """Teacher's crop pixel -> image (B, 2, 3), so that its heatmap shows the student's view."""
        crop_to_cell = invert(cell_to_crop(self.teacher.frame, self.input_size, self.teacher.heatmap_size))
        return compose(crop_to_cell, invert(self._cells), plan.cell_to_image)

    def maps(self, crops: NDArray[np.uint8]) -> Tensor:
        """Maps (B, 17, h, w) of crops (B, H, W, 3) in the student's cells, on the device, as wide as a cached map's."""
        maps = torch.from_numpy(np.asarray(self.teacher(crops), np.float32)).to(self.device)
        if self._alike:
            return maps
        cells = torch.tensor(self._cells, dtype=torch.float32, device=self.device)
        return replay(
            maps,
            cells.expand(len(maps), 2, 3),
            torch.zeros(len(maps), dtype=torch.bool, device=self.device),  # the view was mirrored before it was asked
            self.settings.heatmap_size,
            "warp" if self.settings.replay == "warp" else "peaks",
            teacher_sigma=self.teacher.sigma,
            student_sigma=self.settings.sigma,
        )
