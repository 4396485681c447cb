"""Maps of a live teacher that runs on every batch: the control that shows what the cache costs or gains."""

import torch
from torch import Tensor

from cache_tools.geometry import Matrix, cell_to_crop, compose, invert
from cache_tools.skeletons import COCO
from student.batches.plan import BatchPlan, between_cells
from student.batches.stream import StreamSettings
from student.heatmaps.replay import replay_maps
from student.pose_network import PoseNetwork
from student.torch_network import OnDevice, maps_of


class LiveMaps:
    """A teacher's maps of the student's views: `crop_to_image` places its crops, `maps` runs it."""

    def __init__(self, teacher: PoseNetwork, settings: StreamSettings, device: torch.device) -> None:
        self.teacher, self.settings, self.device = teacher, settings, device
        self.input_size = teacher.input_size
        #: whether it takes its crops from the device; else from the CPU
        self.on_device = isinstance(teacher, OnDevice)
        joints = teacher.joints or (teacher.skeleton or COCO).names
        #: whether the teacher knows each joint
        self.known_joints = tuple(name is not None for name in joints)
        self._student_to_teacher = between_cells(settings.heatmap_size, teacher.heatmap_size)
        # copied once: a copy from memory that is not pinned waits for the device
        self._on_device = torch.tensor(self._student_to_teacher, dtype=torch.float32, device=device)
        teacher_map, student_map = (teacher.heatmap_size, teacher.sigma), (settings.heatmap_size, settings.sigma)
        self._same_map = teacher_map == student_map

    def crop_to_image(self, plan: BatchPlan) -> Matrix:
        """Return matrices (B, 2, 3), teacher's crop pixel -> image, that make its heatmaps show the student's views."""
        crop_to_cell = invert(cell_to_crop(self.teacher.frame, self.input_size, self.teacher.heatmap_size))
        return compose(crop_to_cell, invert(self._student_to_teacher), plan.cell_to_image)

    def maps(self, crops: Tensor) -> Tensor:
        """Run the teacher on uint8 crops (B, H, W, 3); return maps (B, K, h, w) in the student's cells, on the device.

        Their peaks are as wide as those of a cached map would be. Raises ValueError for maps that are not those that
        the teacher states and, not on a GPU, for those that are not finite.
        """
        maps = maps_of(self.teacher, crops, finite=True).to(self.device)
        if self._same_map:
            return maps
        return replay_maps(
            maps,
            self._on_device.expand(len(maps), 2, 3),
            # the teacher's crop was mirrored already, with the view
            torch.zeros(len(maps), dtype=torch.bool, device=self.device),
            self.settings.heatmap_size,
            self.settings.replay_mode,
            mirror=None,
            teacher_sigma=self.teacher.sigma,
            student_sigma=self.settings.sigma,
        )
