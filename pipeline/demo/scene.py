"""A photo: who is in it, where they stand, what hides them, and how the camera saw it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, decay, length, mean, power
from pipeline.demo.background import background, smooth_noise
from pipeline.demo.body import load_body
from pipeline.demo.camera import Camera
from pipeline.demo.outfit import cloth_colour
from pipeline.demo.people import Person, sample_person
from pipeline.demo.poses import POSES
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.regions import load_regions
from pipeline.demo.sprite import FAR, Light, Mesh, Sprite, draw

NOBODY, OCCLUDER = -1, -2  # values of Scene.owner
FARTHEST = 5.2  # metres, of a labelled person


@dataclass(frozen=True)
class Level:
    """How hard the photos are."""

    pose_shares: tuple[float, ...]  # of POSES
    from_behind: float  # share of persons turned any way at all
    yaw_sd: float  # degrees, of the others
    people_shares: tuple[float, ...]  # of photos with 1, 2, ... labelled persons
    nearest: float  # metres
    spread: float  # of persons over the width of the picture
    tilt_sd: float  # degrees, of the camera
    occluders: float  # share of persons with something in front of them
    crowds: float  # share of photos with a crowd in the distance


LEVELS = {
    "easy": Level((0.50, 0.26, 0.05, 0.04, 0.01, 0.12, 0.02), 0.07, 18, (0.68, 0.26, 0.06), 2.7, 0.62, 2, 0.04, 0.04),
    "hard": Level((0.27, 0.17, 0.09, 0.13, 0.06, 0.13, 0.15), 0.38, 38, (0.42, 0.3, 0.18, 0.1), 2, 0.85, 5, 0.16, 0.08),
}


@dataclass(frozen=True)
class Scene:
    """A photo and what is known about each of its pixels."""

    camera: Camera
    people: list[Person]  # farthest first
    photo: NDArray[np.uint8]  # (H, W, 3) RGB
    owner: NDArray[np.int16]  # (H, W) index into people, NOBODY or OCCLUDER
    depth: Floats  # (H, W) metres


@dataclass(frozen=True)
class _Canvas:
    """A photo in the making; its arrays are drawn into."""

    camera: Camera
    colour: Floats  # (H, W, 3) 0..255
    owner: NDArray[np.int16]
    depth: Floats


def sample_scene(rng: RandomStream, level: Level, size: tuple[int, int] = (240, 320)) -> Scene:
    """A photo of `size` (height, width) with people in it."""
    height, width = size
    camera = Camera(
        width=width,
        height=height,
        focal=rng.uniform(1.1, 1.7) * height,
        eye_height=rng.uniform(0.9, 1.6),
        pitch=rng.normal(2, level.tilt_sd),
    )
    near = 1 + rng.choice(range(len(level.people_shares)), level.people_shares)
    far = rng.integer(5, 10) if rng.random() < level.crowds else 0
    people = [_place(rng, camera, level, alone=near == 1) for _ in range(near)]
    people += [_place_in_crowd(rng, camera, level) for _ in range(far)]
    return render(rng, camera, people, level.occluders)


def _place(rng: RandomStream, camera: Camera, level: Level, alone: bool) -> Person:
    person = _sample_person(rng, level)
    distance = rng.uniform(level.nearest, FARTHEST)
    across = rng.normal(0, 0.3) if alone else rng.uniform(-level.spread, level.spread)
    on_a_step = 0.2 if rng.random() < 0.1 else 0.0
    return stand_at(person, camera, distance, across, on_a_step)


def _place_in_crowd(rng: RandomStream, camera: Camera, level: Level) -> Person:
    person = _sample_person(rng, level)
    distance, across = rng.uniform(9, 13), rng.uniform(-level.spread, level.spread)
    return replace(stand_at(person, camera, distance, across), crowd=True)


def _sample_person(rng: RandomStream, level: Level) -> Person:
    kind = rng.choice(POSES, level.pose_shares)
    any_way = rng.random() < level.from_behind
    yaw = rng.uniform(-180, 180) if any_way else rng.normal(0, level.yaw_sd)
    return sample_person(rng, kind, yaw)


def stand_at(person: Person, camera: Camera, distance: float, across: float, up: float = 0.0) -> Person:
    """The person at `distance` metres from the camera; across: -1 at the left edge of the picture, 1 at the right."""
    half_width = distance * camera.width / 2 / camera.focal
    offset = np.array([across * half_width, distance, up], np.float32)
    return replace(
        person,
        vertices=person.vertices + offset,
        keypoints=person.keypoints + offset,
        joints=person.joints + offset,
        distance=distance,
    )


def render(rng: RandomStream, camera: Camera, people: list[Person], occluders: float = 0.0) -> Scene:
    """Draw people over a background, back to front; occluders: share of them that something stands in front of."""
    size = (camera.height, camera.width)
    canvas = _Canvas(
        camera=camera,
        colour=background(rng, *size, camera.horizon),
        owner=np.full(size, NOBODY, np.int16),
        depth=np.full(size, FAR, np.float32),
    )
    people = sorted(people, key=lambda person: -person.distance)
    light = _sample_light(rng)
    for number, person in enumerate(people):
        _add_shadow(canvas, person)
        if person.kind == "sit":
            _add_seat(rng, canvas, person)
        mesh = Mesh(camera.see(person.vertices), camera.turn(person.normals), person.faces, person.part)
        sprite = draw(mesh, load_regions(), person.outfit, camera, light)
        if sprite is None:
            continue
        _paste(canvas, sprite, number, light)
        if not person.crowd and rng.random() < occluders:
            _add_occluder(rng, canvas, sprite, person)
    return Scene(camera, people, _develop(rng, canvas.colour), canvas.owner, canvas.depth)


def _sample_light(rng: RandomStream) -> Light:
    direction = np.array([rng.normal(0, 0.7), rng.uniform(-1, -0.2), rng.uniform(-1, 0.1)], np.float32)
    direction /= length(direction)
    return Light(direction, rng.uniform(0.4, 0.85), (1 + 0.06 * rng.normals(3)).astype(np.float32))


def _paste(canvas: _Canvas, sprite: Sprite, number: int, light: Light) -> None:
    window, solid = sprite.window, sprite.alpha > 0.5
    canvas.colour[window] = canvas.colour[window] * (1 - sprite.alpha[..., None]) + sprite.colour * light.tint
    canvas.owner[window][solid] = number
    canvas.depth[window][solid] = sprite.depth[solid]


def _ground_below(canvas: _Canvas, person: Person) -> tuple[Floats, float]:
    """Where the ground under a person is in the picture, (2,), and pixels a metre there."""
    x, y = mean(person.vertices[: load_body().skin, :2])
    seen = canvas.camera.see(np.array([x, y, 0.0]))
    return canvas.camera.project(seen), canvas.camera.focal / float(seen[2])


def _add_shadow(canvas: _Canvas, person: Person) -> None:
    (x, y), pixels_per_metre = _ground_below(canvas, person)
    radius = 0.34 * pixels_per_metre
    rows = _clipped(y - 0.4 * radius, y + 0.4 * radius, canvas.camera.height)
    columns = _clipped(x - 1.5 * radius, x + 1.5 * radius, canvas.camera.width)
    across = (np.arange(columns.start, columns.stop, dtype=np.float32) - x) / radius
    along = (np.arange(rows.start, rows.stop, dtype=np.float32) - y) / (0.22 * radius)
    darkness = 0.55 * decay(2 * np.square(across)) * decay(2 * np.square(along))[:, None]
    canvas.colour[rows, columns] *= (1 - darkness)[..., None]


def _add_seat(rng: RandomStream, canvas: _Canvas, person: Person) -> None:
    """A box under a sitting person, half of them with a back rest."""
    seen = canvas.camera.see(person.joints[load_body().bones["pelvis"]])
    x, y = canvas.camera.project(seen)
    half = 0.26 * canvas.camera.focal / float(seen[2])
    floor = float(_ground_below(canvas, person)[0][1])
    columns = _clipped(x - half, x + half, canvas.camera.width)
    seat = _clipped(y + 0.15 * half, floor, canvas.camera.height)
    shade = 1 - 0.4 * np.arange(seat.stop - seat.start) / max(1, seat.stop - seat.start)
    canvas.colour[seat, columns] = cloth_colour(rng) * shade[:, None, None]
    if rng.random() < 0.5:
        back = _clipped(y - 1.6 * half, y + 0.15 * half, canvas.camera.height)
        canvas.colour[back, columns] = cloth_colour(rng)


def _clipped(start: float, stop: float, limit: int) -> slice:
    """Whole pixels from `start` to `stop` that lie in 0..limit; maybe none."""
    first = int(np.clip(start, 0, limit))
    return slice(first, max(first, int(np.clip(stop, 0, limit))))


def _add_occluder(rng: RandomStream, canvas: _Canvas, sprite: Sprite, person: Person) -> None:
    """A table, a fence, a pole or a bush before a person."""
    height, width = canvas.owner.shape
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
        cv2.line(shape, (int(top_x), 0), (int(foot_x), height), 255, thick)
    else:
        centre = (int(x + wide * rng.uniform(0, 1)), int(y + tall * rng.uniform(0.2, 1)))
        axes = (int(wide * rng.uniform(0.1, 0.35)) + 2, int(tall * rng.uniform(0.05, 0.2)) + 2)
        cv2.ellipse(shape, centre, axes, 0, 0, 360, 255, -1)
    hidden = shape > 0
    canvas.colour[hidden] = (colour * (0.8 + 0.4 * smooth_noise(rng, height, width, 24)))[hidden]
    canvas.owner[hidden] = OCCLUDER
    canvas.depth[hidden] = person.distance - 0.5


def _develop(rng: RandomStream, colour: Floats) -> NDArray[np.uint8]:
    """Exposure, gamma, blur and grain of a cheap camera."""
    gamma, gain = rng.uniform(0.65, 1.15), rng.uniform(0.8, 1.2)
    curve = (255 * power(np.clip(np.arange(256) / 255 * gain, 0, 1), gamma)).astype(np.float32)
    exposed = np.clip(colour, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        exposed = cv2.GaussianBlur(exposed, (0, 0), rng.uniform(0.4, 1.1))
    developed = cv2.LUT(exposed, curve).astype(np.float32, copy=False)
    grain = rng.uniform(0, 1)
    developed += rng.coarse_normals(*colour.shape[:2], 1) * (8 * grain * grain)
    return np.clip(developed, 0, 255, out=developed).astype(np.uint8)
