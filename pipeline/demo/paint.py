"""Colours of the visible points of a person, by their place on the mean body: face, hair, skin, clothes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, decay, sine
from pipeline.demo.body import BODY, HAIR, SKIRT
from pipeline.demo.cloth import printed
from pipeline.demo.outfit import Outfit
from pipeline.demo.regions import Regions

Mask = NDArray[np.bool_]


@dataclass(kw_only=True)
class Points:
    """P visible points: their place on the mean body, and their colour."""

    xyz: Floats  #: (P, 3) on the mean body, metres
    arm: Floats  #: (P,) coordinate of Regions
    leg: Floats  #: (P,) coordinate of Regions
    scalp: Floats  #: (P,) coordinate of Regions
    part: NDArray[np.uint8]  #: (P,) BODY, HAIR or SKIRT
    colour: Floats  #: (P, 3) RGB 0..255
    folds: Floats  #: (P,) 0 where cloth does not wrinkle, 1 where it does

    @property
    def beside(self) -> Floats:
        """Distance (P,) from the body's plane of symmetry."""
        return np.abs(self.xyz[:, 0])


def paint(regions: Regions, outfit: Outfit, attributes: Floats, part: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return colour (P, 3) and folds (P,) of points with `attributes` (P, 6) of Regions on parts `part` (P,)."""
    count = len(attributes)
    points = Points(
        xyz=attributes[:, :3],
        arm=attributes[:, 3],
        leg=attributes[:, 4],
        scalp=attributes[:, 5],
        part=part,
        colour=np.broadcast_to(np.asarray(outfit.skin, np.float32), (count, 3)).copy(),
        folds=np.zeros(count, np.float32),
    )
    _paint_face(points, regions, outfit)
    _paint_scalp(points, regions, outfit)
    _paint_legs(points, outfit)
    _paint_top(points, regions, outfit)
    _paint_hair(points, outfit)
    _paint_skirt(points, outfit)
    return points.colour, points.folds


def _ellipse(x: Floats, y: Floats, half_width: float, half_height: float) -> Floats:
    """Return values below 1 inside an ellipse round the origin."""
    inside: Floats = np.square(x / half_width) + np.square(y / half_height)
    return inside


def _paint_face(points: Points, regions: Regions, outfit: Outfit) -> None:
    face_back = (regions.nose[1] + regions.ear[1]) / 2 + 0.02
    in_front = (points.xyz[:, 2] > regions.neck_z + 0.03) & (points.xyz[:, 1] < face_back)
    chosen = np.flatnonzero((points.part == BODY) & in_front)
    if not len(chosen):
        return
    colour, skin = points.colour[chosen], np.asarray(outfit.skin)
    x, z = points.beside[chosen], points.xyz[chosen, 2]
    eye_x, eye_z = x - regions.eye[0], z - regions.eye[2]
    nose_z = z - regions.nose[2]
    mouth_z = nose_z + 0.038

    colour *= (1 - 0.10 * decay(_ellipse(eye_x, eye_z, 0.02, 0.014)))[:, None]  # the socket
    colour[_ellipse(eye_x, eye_z, 0.017, 0.0075) < 1] = (236, 232, 228)
    colour[_ellipse(eye_x, eye_z, 0.0075, 0.0085) < 1] = (40, 30, 26)
    brow = np.abs(eye_z - 0.019 + eye_x * eye_x * 9) < 0.0042
    colour[(np.abs(eye_x - 0.002) < 0.02) & brow] = outfit.hair * 0.8
    colour[_ellipse(x, mouth_z, 0.026, 0.008) < 1] = skin * (0.82, 0.56, 0.55)
    colour[(x < 0.024) & (np.abs(mouth_z) < 0.0016)] = skin * 0.4
    colour[_ellipse(x - 0.009, nose_z + 0.012, 0.006, 0.004) < 1] = skin * 0.55  # nostrils
    colour *= 1 + 0.06 * decay(_ellipse(x - 0.045, nose_z, 0.02, 0.02))[:, None] * np.array([1, -0.3, -0.3])  # cheeks
    if outfit.beard:
        lips = (x < 0.024) & (np.abs(mouth_z) < 0.008)
        beard = (mouth_z < 0.018) & (mouth_z > -0.06) & ~lips
        colour[beard] = colour[beard] * 0.35 + outfit.hair * 0.65
    points.colour[chosen] = colour


def _paint_scalp(points: Points, regions: Regions, outfit: Outfit) -> None:
    body, x, z = points.part == BODY, points.xyz[:, 0], points.xyz[:, 2]
    if not outfit.bald:
        grown = body & (points.scalp > 0)
        strands = sine(190 * x[grown] + 60 * z[grown] + 3 * sine(70 * z[grown]))
        points.colour[grown] = outfit.hair * (1 + 0.25 * strands)[:, None]
    if outfit.cap:
        points.colour[body & (z > regions.eye[2] + 0.05) & (points.scalp > -4)] = outfit.cap_colour


def _paint_legs(points: Points, outfit: Outfit) -> None:
    trunk = (points.part == BODY) & (points.arm < -0.1)
    leg, colour = points.leg, points.colour
    covered = trunk & (leg > -0.42) & (leg < outfit.leg_length)
    if outfit.bottom != "skirt":
        colour[covered] = printed(outfit.bottom_colour, outfit.bottom_pattern, points.xyz[covered], outfit.phases)
        points.folds[covered] = 1
    if outfit.bottom == "jeans":
        colour[covered & (np.abs(points.xyz[:, 1]) < 0.004)] *= 0.7  # the seam
    if not outfit.barefoot:
        colour[trunk & (leg > outfit.boot)] = outfit.shoe
        colour[trunk & (leg > outfit.boot) & (leg > 2.24)] = 60 if outfit.shoe.mean() > 120 else 200  # the sole
    if outfit.socks:
        colour[trunk & (leg > 1.55) & (leg <= outfit.boot) & (leg >= outfit.leg_length)] = 225
    if outfit.gloves:
        colour[(points.part == BODY) & (points.arm > 1.95)] = outfit.shoe


def _paint_top(points: Points, regions: Regions, outfit: Outfit) -> None:
    trunk = points.arm < -0.1
    covered = _under_top(points, regions, outfit, trunk)
    x, y, z = points.xyz[covered].T
    beside = np.abs(x)
    cloth = printed(outfit.top_colour, outfit.top_pattern, points.xyz[covered], outfit.phases)
    if outfit.top == "jacket":  # open, with something of the print's colour under it
        opening = 0.035 * np.clip((z + 0.1) / 0.4, 0.15, 1)
        cloth = np.where(((y < 0) & (beside < opening))[:, None], outfit.top_pattern.colour, cloth)
    elif outfit.top == "shirt":  # buttons
        cloth = np.where(((y < 0) & (beside < 0.0035))[:, None], outfit.top_colour * 0.6, cloth)
    if outfit.logo:
        logo = (y < 0) & (beside < 0.07) & (np.abs(z - 0.3) < 0.05)
        cloth = np.where(logo[:, None], 255 - cloth, cloth)
    points.colour[covered] = cloth
    points.folds[covered] = 1
    at_hem = (np.abs(points.leg - outfit.hem) < 0.035) & trunk
    points.colour[covered & (at_hem | (np.abs(points.arm - outfit.sleeve) < 0.05))] *= 0.82


def _under_top(points: Points, regions: Regions, outfit: Outfit, trunk: Mask) -> Mask:
    y, z, beside = points.xyz[:, 1], points.xyz[:, 2], points.beside
    neck_z = regions.neck_z
    v_shape = np.where(y < 0, outfit.v_neck * np.maximum(0, 0.055 - beside), 0)
    chest = trunk & (points.leg < outfit.hem) & (z < neck_z - 0.03 - outfit.neckline - v_shape)
    shoulders = trunk & (points.leg < outfit.hem) & (z < neck_z + 0.03) & (beside > 0.07 + 0.9 * outfit.neckline)
    sleeves = (points.arm > -0.1) & (points.arm < outfit.sleeve)
    covered: Mask = (points.part == BODY) & (chest | sleeves | shoulders)
    if outfit.top == "tank":
        covered &= ~(trunk & (beside > 0.135) & (z > neck_z - 0.13))
    return covered


def _paint_hair(points: Points, outfit: Outfit) -> None:
    hair = points.part == HAIR
    strands = sine(230 * points.xyz[hair, 0] + 2 * sine(40 * points.xyz[hair, 2]))
    points.colour[hair] = outfit.hair * (1 + 0.25 * strands)[:, None]


def _paint_skirt(points: Points, outfit: Outfit) -> None:
    skirt = points.part == SKIRT
    points.colour[skirt] = printed(outfit.bottom_colour, outfit.bottom_pattern, points.xyz[skirt], outfit.phases)
    points.folds[skirt] = 1.6
