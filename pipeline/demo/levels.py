"""How hard the photos of a level are: who is in them, where they stand, what hides them."""

from dataclasses import dataclass, replace

from pipeline.demo.camera import Camera
from pipeline.demo.people import Person, sample_person
from pipeline.demo.poses import POSES
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.scene import Scene, render, stand_at

FARTHEST = 5.2  # metres, of a labelled person


@dataclass(frozen=True, kw_only=True)
class Level:
    """The distribution that photos are drawn from."""

    pose_shares: tuple[float, ...]  #: probability of each of POSES
    any_way: float  #: share of persons turned any way at all
    yaw_sd: float  #: degrees that the others are turned from the camera
    people_shares: tuple[float, ...]  #: shares of photos with 1, 2, ... labelled persons
    nearest: float  #: metres from the camera to a labelled person, at least
    width: float  #: share of the picture's width that persons of a group stand in
    tilt_sd: float  #: degrees that the camera is tilted
    occluders: float  #: share of persons with something in front of them
    crowds: float  #: share of photos with a crowd in the distance


LEVELS = {
    "easy": Level(
        pose_shares=(0.50, 0.26, 0.05, 0.04, 0.01, 0.12, 0.02),
        any_way=0.07,
        yaw_sd=18,
        people_shares=(0.68, 0.26, 0.06),
        nearest=2.7,
        width=0.62,
        tilt_sd=2,
        occluders=0.04,
        crowds=0.04,
    ),
    "hard": Level(
        pose_shares=(0.27, 0.17, 0.09, 0.13, 0.06, 0.13, 0.15),
        any_way=0.38,
        yaw_sd=38,
        people_shares=(0.42, 0.3, 0.18, 0.1),
        nearest=2,
        width=0.85,
        tilt_sd=5,
        occluders=0.16,
        crowds=0.08,
    ),
}


#: level of photos of one person who stands and faces the camera, with legs of known angles (standing.py)
STANDING = "standing"
LEVEL_NAMES = (*LEVELS, STANDING)


def sample_scene(rng: RandomStream, level: Level, size: tuple[int, int] = (240, 320)) -> Scene:
    """Return a photo of `size` (height, width) with people in it."""
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
    people = [_near(rng, camera, level, single=near == 1) for _ in range(near)]
    people += [_in_crowd(rng, camera, level) for _ in range(far)]
    return render(rng, camera, people, level.occluders)


def _near(rng: RandomStream, camera: Camera, level: Level, single: bool) -> Person:
    person = _sample_person(rng, level)
    distance = rng.uniform(level.nearest, FARTHEST)
    across = rng.normal(0, 0.3) if single else rng.uniform(-level.width, level.width)
    on_a_step = 0.2 if rng.random() < 0.1 else 0.0
    return stand_at(person, camera, distance, across, on_a_step)


def _in_crowd(rng: RandomStream, camera: Camera, level: Level) -> Person:
    person = _sample_person(rng, level)
    distance, across = rng.uniform(9, 13), rng.uniform(-level.width, level.width)
    return replace(stand_at(person, camera, distance, across), crowd=True)


def _sample_person(rng: RandomStream, level: Level) -> Person:
    kind = rng.choice(POSES, level.pose_shares)
    any_way = rng.random() < level.any_way
    yaw = rng.uniform(-180, 180) if any_way else rng.normal(0, level.yaw_sd)
    return sample_person(rng, kind, yaw)
