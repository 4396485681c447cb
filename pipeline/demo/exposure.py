"""The camera's part in a photo: gain, gamma, blur and grain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, power
from pipeline.demo.random_stream import RandomStream


def expose(rng: RandomStream, colour: Floats) -> NDArray[np.uint8]:
    """Return what a cheap camera makes of colours (H, W, 3) 0..255."""
    gamma, gain = rng.uniform(0.65, 1.15), rng.uniform(0.8, 1.2)
    curve = (255 * power(np.clip(np.arange(256) / 255 * gain, 0, 1), gamma)).astype(np.float32)
    exposed = np.clip(colour, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:  # in 8 bits, which OpenCV blurs in fixed point
        exposed = cv2.GaussianBlur(exposed, (0, 0), rng.uniform(0.4, 1.1)).astype(np.uint8, copy=False)
    grain = rng.random()
    photo = cv2.LUT(exposed, curve).astype(np.float32, copy=False)
    photo += rng.coarse_normals(*exposed.shape[:2], 1) * (8 * grain * grain)
    return np.clip(photo, 0, 255, out=photo).astype(np.uint8)
