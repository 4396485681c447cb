"""The flip test as a network."""

import numpy as np
import pytest

from cache_tools.geometry import apply as apply_matrix
from cache_tools.geometry import cell_to_crop
from cache_tools.skeletons import COCO, Skeleton
from pipeline.teachers.flipped import Flipped
from tests.samples.coco_joints import MIRROR


class Peaks:
    """A teacher that knows where each joint of a crop is: at the pixel whose red value is 100 + joint."""

    name = digest = licence = "peaks"
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size, sigma = (64, 48), (16, 12), 2.0

    def __init__(self, frame: str) -> None:
        self.frame = frame

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Draw Gaussians at the marked pixels; a mirrored crop shows the mirrored joints, as to any network."""
        to_crop = cell_to_crop(self.frame, self.input_size, self.heatmap_size)
        cell_xy = apply_matrix(to_crop, np.mgrid[:12, :16].T.reshape(-1, 2)).reshape(16, 12, 2)
        maps = np.zeros((len(crops), 17, 16, 12), np.float32)
        for index, crop in enumerate(crops):
            mirrored = crop[0, 0, 1] == 0
            for joint in range(17):
                y, x = np.argwhere(crop[..., 0] == 100 + joint)[0]
                to = MIRROR[joint] if mirrored else joint
                maps[index, to] = np.exp(-((cell_xy - [x, y]) ** 2).sum(-1) / 128)
        return maps


@pytest.mark.parametrize(("frame", "off"), [("udp", 1e-6), ("stride", 0.125)])
def test_flip_brings_mirrored_maps_back(frame: str, off: float) -> None:
    crop = np.zeros((1, 64, 48, 3), np.uint8)
    # distinguishes the straight crop from its mirror image
    crop[0, 0, 0, 1] = 1
    for joint in range(17):
        crop[0, 20 + joint, 12 + joint, 0] = 100 + joint
    teacher = Peaks(frame)
    straight, both = teacher(crop), Flipped(teacher)(crop)
    columns = np.arange(12)
    centre = [(maps * columns).sum((-2, -1)) / maps.sum((-2, -1)) for maps in (straight, both)]
    # in the stride frame one cell is the nearest whole step to three quarters, so the average is an eighth off
    assert np.abs(centre[0] - centre[1]).max() < off + 0.02
