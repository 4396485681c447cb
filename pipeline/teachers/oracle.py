"""A teacher without a network, for tests and benchmarks of everything except the teacher.

It knows nothing of persons or labels: the joints lie where a checksum of the crop's pixels puts them. Equal crops give
equal heatmaps on every machine, another picture gives other ones, and drawing them takes a fraction of a millisecond.
"""

import logging
import math
import time
import zlib

import numpy as np

from cache_tools.skeletons import COCO, Skeleton
from pipeline.teachers.names import options_of
from student.pose_network import Crops, Maps, digest_of

logger = logging.getLogger(__name__)

FAINT, CLEAR = 0.15, 0.9  # heights of a peak
FAINT_SHARE = 0.2  # of the joints


class OracleTeacher:
    """Gaussians of sigma 2, one a joint, in the middle part of the heatmap; a fifth of them faint."""

    name, licence, frame, sigma = "gaussian-oracle", "CC0-1.0", "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)
    digest = digest_of("gaussian oracle, version 1")
    joints: tuple[str | None, ...] | None = None

    def __init__(self, reference: str = "oracle", skeleton: Skeleton | None = None) -> None:
        """Read the options of the reference. seconds_per_crop: be as slow as a real teacher.

        skeleton: of the data; None: COCO's.

        Raises ValueError for an unknown option and for seconds that are none.
        """
        self.skeleton: Skeleton | None = skeleton or COCO
        options = options_of(reference, ("seconds_per_crop",))[1]
        self.seconds_per_crop = _seconds(reference, options.get("seconds_per_crop", "0"))
        logger.warning(
            "the oracle draws peaks that depend on the pixels of a crop only, not on the person in it: "
            "its heatmaps test the tools and teach a student nothing"
        )

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, 64, 48) of crops (B, 256, 192, 3)."""
        if self.seconds_per_crop:
            time.sleep(self.seconds_per_crop * len(crops))
        return np.stack([self._draw(zlib.crc32(crop[::8, ::8].tobytes())) for crop in crops])

    def _draw(self, seed: int) -> Maps:
        """Return heatmaps (K, 64, 48) of one person."""
        generator = np.random.default_rng(seed)
        height, width = self.heatmap_size
        joints = len(self.skeleton or COCO)
        centre = generator.uniform(0.1, 0.9, (2, joints, 1)) * [[[height]], [[width]]]
        peak = np.where(generator.uniform(size=joints) < FAINT_SHARE, FAINT, CLEAR)
        down = np.exp(-((np.arange(height) - centre[0]) ** 2) / (2 * self.sigma**2))  # (K, 64)
        across = np.exp(-((np.arange(width) - centre[1]) ** 2) / (2 * self.sigma**2))  # (K, 48)
        maps: Maps = (peak[:, None, None] * down[:, :, None] * across[:, None, :]).astype(np.float32)
        return maps


def _seconds(reference: str, text: str) -> float:
    """Return the number of seconds that an option states; ValueError where it states none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"teacher {reference}: seconds_per_crop is {text!r}: expected a number of 0 or more")
    return seconds
