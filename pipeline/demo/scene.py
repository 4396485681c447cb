"""People before a background: a photo, and what is known about each of its pixels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, length
from pipeline.demo.background import background
from pipeline.demo.camera import Camera
from pipeline.demo.canvas import Canvas, layer_of
from pipeline.demo.exposure import expose
from pipeline.demo.people import Person
from pipeline.demo.props import add_occluder, add_seat, add_shadow
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.regions import load_regions
from pipeline.demo.sprite import Light, Mesh, draw


@dataclass(frozen=True)
class Scene:
    """A photo of H x W pixels with people in it."""

    camera: Camera
    people: list[Person]  #: farthest first
    photo: NDArray[np.uint8]  #: (H, W, 3) RGB
    layer: NDArray[np.int16]  #: (H, W) what is seen: 0 background, layer_of(n) person n, odd numbers things
    depth: Floats  #: (H, W) metres


def stand_at(person: Person, camera: Camera, distance: float, across: float, up: float = 0.0) -> Person:
    """Return the person at `distance` metres from the camera and `up` metres above the ground.

    across: -1 at the left edge of the picture, 1 at the right.
    """
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
    canvas = Canvas.over(background(rng, camera.height, camera.width, camera.horizon), camera)
    people = sorted(people, key=lambda person: -person.distance)
    light = _sample_light(rng)
    for number, person in enumerate(people):
        add_shadow(canvas, person)
        if person.kind == "sit":
            add_seat(rng, canvas, person, layer_of(number) - 1)
        mesh = Mesh(camera.see(person.vertices), camera.turn(person.normals), person.faces, person.part)
        sprite = draw(mesh, load_regions(), person.outfit, camera, light)
        if sprite is None:
            continue
        canvas.add(sprite, number)
        if not person.crowd and rng.random() < occluders:
            add_occluder(rng, canvas, sprite, layer_of(number) + 1)
    return Scene(camera, people, expose(rng, canvas.colour), canvas.layer, canvas.depth)


def _sample_light(rng: RandomStream) -> Light:
    direction = np.array([rng.normal(0, 0.7), rng.uniform(-1, -0.2), rng.uniform(-1, 0.1)], np.float32)
    direction /= length(direction)
    return Light(direction, rng.uniform(0.4, 0.85), (1 + 0.06 * rng.normals(3)).astype(np.float32))
