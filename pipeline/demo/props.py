"""What stands near people: their shadow, a seat, and things in front of them."""

import cv2
import numpy as np

from pipeline.demo.arithmetic import Floats, decay, mean
from pipeline.demo.background import smooth_noise
from pipeline.demo.body import load_body
from pipeline.demo.canvas import Canvas
from pipeline.demo.cloth import cloth_colour
from pipeline.demo.people import Person
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.sprite import Sprite
from pipeline.demo.stroke import draw_stroke


def add_shadow(canvas: Canvas, person: Person) -> None:
    """Darken the ground under a person."""
    (x, y), pixels_per_metre = _ground_below(canvas, person)
    radius = 0.34 * pixels_per_metre
    rows = _clipped(y - 0.4 * radius, y + 0.4 * radius, canvas.camera.height)
    columns = _clipped(x - 1.5 * radius, x + 1.5 * radius, canvas.camera.width)
    across = (np.arange(columns.start, columns.stop) - x) / radius
    along = (np.arange(rows.start, rows.stop) - y) / (0.22 * radius)
    darkness = 0.55 * decay(2 * np.square(across)) * decay(2 * np.square(along))[:, None]
    canvas.colour[rows, columns] *= (1 - darkness)[..., None]


def add_seat(rng: RandomStream, canvas: Canvas, person: Person, layer: int) -> None:
    """Draw a box under a sitting person, half of them with a back rest."""
    seen = canvas.camera.see(person.joints[load_body().bones["pelvis"]])
    x, y = canvas.camera.project(seen)
    half = 0.26 * canvas.camera.focal / float(seen[2])
    floor = float(_ground_below(canvas, person)[0][1])
    columns = _clipped(x - half, x + half, canvas.camera.width)
    seat = _clipped(y + 0.15 * half, floor, canvas.camera.height)
    shade = 1 - 0.4 * np.arange(seat.stop - seat.start) / max(1, seat.stop - seat.start)
    canvas.cover((seat, columns), cloth_colour(rng) * shade[:, None, None], layer)
    if rng.random() < 0.5:
        back = _clipped(y - 1.6 * half, y + 0.15 * half, canvas.camera.height)
        canvas.cover((back, columns), cloth_colour(rng), layer)


def add_occluder(rng: RandomStream, canvas: Canvas, sprite: Sprite, layer: int) -> None:
    """Draw a table, a pole or a bush in front of a person."""
    height, width = canvas.layer.shape
    tall, wide = sprite.alpha.shape
    x, y, kind = sprite.left, sprite.top, rng.random()
    colour, shape = cloth_colour(rng), np.zeros((height, width), np.uint8)
    if kind < 0.45:
        top = int(y + tall * rng.uniform(0.5, 0.85))
        left, right = int(x - wide * rng.uniform(0, 0.6)), int(x + wide * rng.uniform(0.6, 1.8))
        bottom = height if rng.random() < 0.6 else top + int(tall * 0.12) + 2
        cv2.rectangle(shape, (left, top), (right, bottom), 255, -1)
    elif kind < 0.75:
        top_x = x + wide * rng.uniform(0.1, 0.9)
        foot_x = top_x + wide * rng.normal(0, 0.1)
        thick = int(2 + wide * rng.uniform(0.04, 0.2))
        draw_stroke(shape, [(int(top_x), 0), (int(foot_x), height)], 255, thick)
    else:
        centre = (int(x + wide * rng.uniform(0, 1)), int(y + tall * rng.uniform(0.2, 1)))
        axes = (int(wide * rng.uniform(0.1, 0.35)) + 2, int(tall * rng.uniform(0.05, 0.2)) + 2)
        cv2.ellipse(shape, centre, axes, 0, 0, 360, 255, -1)
    hidden = shape > 0
    shaded = colour * (0.8 + 0.4 * smooth_noise(rng, height, width, 24))
    canvas.cover(hidden, shaded[hidden], layer)


def _ground_below(canvas: Canvas, person: Person) -> tuple[Floats, float]:
    """Return where the ground under a person is in the picture, (2,), and the pixels of a metre there."""
    x, y = mean(person.vertices[: load_body().skin, :2])
    seen = canvas.camera.see(np.array([x, y, 0.0]))
    return canvas.camera.project(seen), canvas.camera.focal / float(seen[2])


def _clipped(start: float, stop: float, limit: int) -> slice:
    """Return the whole pixels from `start` to `stop` that lie in 0..limit; maybe none."""
    first = int(np.clip(start, 0, limit))
    return slice(first, max(first, int(np.clip(stop, 0, limit))))
