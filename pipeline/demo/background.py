"""Photos without people: a wall or sky, a ground, and clutter, some of it shaped like limbs."""

import cv2
import numpy as np

from pipeline.demo.arithmetic import Floats
from pipeline.demo.cloth import colour_from_hsv
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.stroke import draw_stroke

SKY = np.array([150, 190, 235])


def background(rng: RandomStream, height: int, width: int, horizon: float) -> Floats:
    """Return a photo without people, (height, width, 3) float32 0..255; most are a little out of focus."""
    if rng.random() < 0.6:
        small = _paint(rng, height // 2, width // 2, horizon / 2)
        # OpenCV blurs and enlarges 8-bit pictures in fixed point, but floats differently with each instruction set.
        blurred = cv2.GaussianBlur(np.clip(small, 0, 255).astype(np.uint8), (0, 0), rng.uniform(0.4, 1.6))
        return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.float32)
    return _paint(rng, height, width, horizon)


def smooth_noise(rng: RandomStream, height: int, width: int, cells: int, channels: int = 1) -> Floats:
    """Return noise (height, width, channels) in about 0..1 that is smooth over width / cells pixels."""
    rows = max(2, int(cells * height / width)) + 1
    grid = rng.uniforms(rows, cells + 1, channels)
    return _resized(_resized(grid, width, axis=1), height, axis=0)


def _resized(grid: Floats, size: int, axis: int) -> Floats:
    """Resize along an axis by cubic convolution (Keys 1981, a = -0.75 as in OpenCV)."""
    count = grid.shape[axis]
    place = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(count / size) - np.float32(0.5)
    cell = np.floor(place)
    resized: Floats = np.zeros((*grid.shape[:axis], size, *grid.shape[axis + 1 :]), np.float32)
    for tap in range(-1, 3):
        x = np.abs(place - cell - tap)
        near, far = (1.25 * x - 2.25) * x * x + 1, ((-0.75 * x + 3.75) * x - 6) * x + 3
        weight = np.where(x <= 1, near, far).reshape(-1, *[1] * (grid.ndim - 1 - axis))
        share = grid.take(np.clip(cell.astype(int) + tap, 0, count - 1), axis)
        share *= weight
        resized += share
    return resized


def _paint(rng: RandomStream, height: int, width: int, horizon: float) -> Floats:
    wall = _muted_colour(rng)
    top = wall * rng.uniform(0.7, 1.3) if rng.random() < 0.6 else SKY * rng.uniform(0.6, 1.05)
    down = (np.arange(height, dtype=np.float32) / max(1, height - 1))[:, None]
    photo = np.empty((height, width, 3), np.float32)
    photo[:] = (top * (1 - down) + wall * down)[:, None]
    ground = int(np.clip(horizon, 0, height))
    if ground < height:
        nearness = np.arange(height - ground) / (height - ground)
        photo[ground:] = _muted_colour(rng) * (0.75 + 0.35 * nearness)[:, None, None]
    for _ in range(rng.integer(2, 14)):
        _add_clutter(rng, photo)
    if rng.random() < 0.3:  # tiles or boards
        step = rng.integer(8, 40)
        photo[:, ::step] *= 0.85
        if rng.random() < 0.5:
            photo[::step] *= 0.85
    photo *= 0.75 + 0.5 * smooth_noise(rng, height, width, rng.integer(2, 8), 3 if rng.random() < 0.3 else 1)
    grain = rng.uniform(0, 0.35)
    photo *= 1 + grain * (smooth_noise(rng, height, width, rng.integer(20, 120)) - 0.5)
    return photo


def _add_clutter(rng: RandomStream, photo: Floats) -> None:
    """Draw furniture, a window, a building, or a tree; one in ten is a jointed stroke, as a limb is."""
    height, width = photo.shape[:2]
    x, y = rng.uniform(-0.1, 1) * width, rng.uniform(-0.2, 0.75) * height
    wide, tall = rng.gamma(2, 0.09) * width, rng.gamma(2, 0.13) * height
    colour, kind, start = _muted_colour(rng).tolist(), rng.random(), (int(x), int(y))
    if kind < 0.6:
        filled = rng.random() < 0.8
        cv2.rectangle(photo, start, (int(x + wide), int(y + tall)), colour, -1 if filled else rng.integer(1, 5))
    elif kind < 0.75:
        axes = (int(wide / 2) + 1, int(tall / 2) + 1)
        cv2.ellipse(photo, start, axes, rng.integer(0, 180), 0, 360, colour, -1)
    elif kind < 0.9:
        end = (int(x + rng.normal(0, 0.4) * width), int(y + rng.normal(0, 0.5) * height))
        draw_stroke(photo, [start, end], colour, rng.integer(1, 9))
    else:
        points = []
        for _ in range(4):
            x, y = x + rng.normal(0, 0.09) * width, y + rng.normal(0, 0.09) * height
            points.append((int(x), int(y)))
        draw_stroke(photo, points, colour, rng.integer(4, 16))


def _muted_colour(rng: RandomStream) -> Floats:
    return colour_from_hsv(rng.integer(0, 180), min(255, int(rng.gamma(1.5, 32))), rng.integer(40, 240))
