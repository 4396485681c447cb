"""A pinhole camera. Camera axes are x right, y down, z forward; its image plane has pixel i from i to i + 1."""

from dataclasses import dataclass

import numpy as np

from pipeline.demo.arithmetic import Floats, sine_cosine

NEAREST = 0.05  # metres: nearer points are drawn as if they were here


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera at (0, 0, eye_height) that looks along +y."""

    width: int  #: pixels
    height: int  #: pixels
    focal: float  #: pixels
    eye_height: float  #: metres
    pitch: float  #: degrees that it looks down

    @property
    def horizon(self) -> float:
        """Row of the horizon."""
        sine, cosine = sine_cosine(self.pitch)
        return self.height / 2 - self.focal * sine / cosine

    def see(self, points: Floats) -> Floats:
        """Return world points (..., 3) in camera axes, float32."""
        return self.turn(points - np.array([0, 0, self.eye_height]))

    def turn(self, directions: Floats) -> Floats:
        """Return world directions (..., 3) in camera axes, float32."""
        x, y, z = np.moveaxis(np.asarray(directions), -1, 0)
        sine, cosine = sine_cosine(self.pitch)
        return np.stack([x, -(z * cosine + y * sine), y * cosine - z * sine], -1).astype(np.float32)

    def project(self, seen: Floats) -> Floats:
        """Return the image-plane position (..., 2) of points (..., 3) in camera axes."""
        depth = np.maximum(seen[..., 2], NEAREST)
        across = self.focal * seen[..., 0] / depth + self.width / 2
        return np.stack([across, self.focal * seen[..., 1] / depth + self.height / 2], -1)
