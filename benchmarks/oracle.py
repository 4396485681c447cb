"""A teacher for measuring all but the teacher: Gaussians at places that depend on the crop's pixels alone."""

import os
import time
import zlib

import numpy as np
from numpy.typing import NDArray

from pipeline.teachers.base import digest_of

# environment
SECONDS_A_CROP = "ORACLE_SECONDS_A_CROP"  # makes it as slow as a real teacher, so that it can be killed at work
CPU_LOG = "ORACLE_CPU_LOG"  # a file to which each call, in whatever process, adds a line with its CPU seconds


class GaussianOracle:
    """Seventeen joints a crop, each a Gaussian of sigma 2 in the middle part of its heatmap, a fifth of them faint."""

    name, licence, frame, sigma = "gaussian-oracle", "CC0-1.0", "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)
    digest = digest_of("gaussian oracle, version 1")

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Heatmaps (B, 17, 64, 48) of crops (B, 256, 192, 3)."""
        if pause := float(os.environ.get(SECONDS_A_CROP, 0)):
            time.sleep(pause * len(crops))
        start = time.thread_time()
        maps = np.stack([self.draw(zlib.crc32(np.ascontiguousarray(crop[::8, ::8]))) for crop in crops])
        if log := os.environ.get(CPU_LOG):
            with open(log, "a") as file:
                file.write(f"{time.thread_time() - start}\n")
        return maps

    def draw(self, seed: int) -> NDArray[np.float32]:
        """Heatmaps (17, 64, 48) of one person."""
        generator = np.random.default_rng(seed)
        height, width = self.heatmap_size
        centre = generator.uniform(0.1, 0.9, (2, 17, 1)) * [[[height]], [[width]]]
        peak = np.where(generator.uniform(size=17) < 0.2, 0.15, 0.9)
        down = np.exp(-((np.arange(height) - centre[0]) ** 2) / (2 * self.sigma**2))  # (17, 64)
        across = np.exp(-((np.arange(width) - centre[1]) ** 2) / (2 * self.sigma**2))  # (17, 48)
        return (peak[:, None, None] * down[:, :, None] * across[:, None, :]).astype(np.float32)


def make(device: str) -> GaussianOracle:
    """The factory: `--teacher oracle:make`, run in this folder."""
    return GaussianOracle()
