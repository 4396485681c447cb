"""What people wear: skin, hair, clothes and their patterns, and how far clothes stand off the body."""

import colorsys
from dataclasses import dataclass

import numpy as np

from pipeline.demo.arithmetic import Floats
from pipeline.demo.body import Body
from pipeline.demo.random_stream import RandomStream
from pipeline.demo.regions import Regions

SKIN_COLOURS = (
    (255, 219, 189), (241, 194, 155), (224, 172, 125), (198, 134, 94),
    (161, 102, 66), (122, 75, 48), (88, 52, 36), (240, 205, 180),
)  # fmt: skip
HAIR_COLOURS = (
    (28, 22, 20), (58, 40, 28), (92, 62, 36), (150, 108, 58),
    (205, 170, 110), (120, 118, 116), (205, 203, 200), (112, 50, 28),
)  # fmt: skip
HAIR_SHARES = (0.3, 0.22, 0.16, 0.08, 0.07, 0.07, 0.04, 0.06)
GREYS = (25.0, 50.0, 90.0, 140.0, 190.0, 235.0)
PATTERNS = ("plain", "plain", "plain", "hstripe", "vstripe", "check", "blotch", "block")
TOP_SHARES = {"tee": 0.36, "long": 0.24, "tank": 0.1, "jacket": 0.16, "shirt": 0.14}
BOTTOM_SHARES = {"trousers": 0.36, "jeans": 0.26, "shorts": 0.24, "leggings": 0.14}
TOP_THICKNESS = {"tee": 0.010, "long": 0.012, "tank": 0.004, "jacket": 0.024, "shirt": 0.014}  # metres
BOTTOM_THICKNESS = {"trousers": 0.016, "jeans": 0.010, "shorts": 0.018, "leggings": 0.002}


@dataclass(frozen=True)
class Pattern:
    """A print on cloth: `kind` of PATTERNS, frequency in radians a metre; more `duty` covers less of the cloth."""

    kind: str
    frequency: float
    phase: float
    colour: Floats  # (3,)
    duty: float


@dataclass(frozen=True)
class Outfit:
    """Colours are RGB 0..255. Where cloth ends is in the coordinates of Regions: 1 elbow or knee, 2 wrist or ankle."""

    skin: Floats
    hair: Floats
    top: str
    bottom: str
    top_colour: Floats
    bottom_colour: Floats
    top_pattern: Pattern
    bottom_pattern: Pattern
    sleeve: float
    hem: float  # where the top ends, as a leg coordinate
    neckline: float  # metres that the collar lies lower
    v_neck: float
    leg_length: float
    shoe: Floats
    boot: float  # where the shoe begins, as a leg coordinate
    socks: bool
    looseness: float
    wrinkles: float
    phases: Floats  # (8,) of the folds and blotches
    beard: bool
    bald: bool
    long_hair: bool
    hair_length: float
    hair_volume: float
    gloves: bool
    barefoot: bool
    cap: bool
    cap_colour: Floats
    skirt_length: float
    logo: bool


def sample_outfit(rng: RandomStream, male: bool, age: float, skirts: bool) -> Outfit:
    """A person's looks; `skirts` says whether a woman may wear one."""
    top = rng.choice(list(TOP_SHARES), list(TOP_SHARES.values()))
    bottom = rng.choice(list(BOTTOM_SHARES), list(BOTTOM_SHARES.values()))
    if not male and skirts and rng.random() < 0.35:
        bottom = "skirt"
    skin = np.array(rng.choice(SKIN_COLOURS)) * rng.uniform(0.88, 1.06) + 4 * rng.normals(3)
    hair = np.array(rng.choice(HAIR_COLOURS, HAIR_SHARES)) * rng.uniform(0.8, 1.2)
    top_colour, bottom_colour, top_pattern = cloth_colour(rng), cloth_colour(rng), _sample_pattern(rng)
    printed = bottom != "jeans" and rng.random() < 0.4
    bottom_pattern = _sample_pattern(rng) if printed else Pattern("plain", 1, 0, cloth_colour(rng), 0)
    if rng.random() < 0.07:  # an overall, a suit, a track suit
        top_colour, top_pattern = bottom_colour, bottom_pattern
    return Outfit(
        skin=skin,
        hair=hair,
        top=top,
        bottom=bottom,
        top_colour=top_colour,
        bottom_colour=bottom_colour,
        top_pattern=top_pattern,
        bottom_pattern=bottom_pattern,
        sleeve=_sleeve(rng, top),
        hem=rng.uniform(-0.2, 0) if top == "tank" else rng.uniform(-0.16, 0.12),
        neckline=rng.uniform(0, 0.05),
        v_neck=rng.uniform(0, 1.2),
        leg_length=_leg_length(rng, bottom),
        shoe=cloth_colour(rng),
        boot=rng.uniform(1.72, 1.95),
        socks=rng.random() < 0.3,
        looseness=rng.uniform(0.4, 1.4),
        wrinkles=rng.uniform(0.5, 1.3),
        phases=2 * np.pi * rng.uniforms(8),
        beard=male and age > 0.6 and rng.random() < 0.3,
        bald=male and age > 0.8 and rng.random() < 0.15,
        long_hair=rng.random() < (0.1 if male else 0.6),
        hair_length=rng.uniform(0.2, 0.62),
        hair_volume=rng.uniform(0.3, 1.3),
        gloves=rng.random() < 0.04,
        barefoot=rng.random() < 0.06,
        cap=rng.random() < 0.12,
        cap_colour=cloth_colour(rng),
        skirt_length=rng.uniform(0.25, 1),
        logo=rng.random() < 0.25,
    )


def cloth_colour(rng: RandomStream) -> Floats:
    """A colour (3,) that cloth has: often grey, sometimes denim, else anything."""
    if rng.random() < 0.42:
        grey = rng.choice(GREYS) + rng.normal(0, 8)
        return np.clip(grey + 6 * rng.normals(3), 8, 250).astype(np.float32)
    if rng.random() < 0.25:
        denim = np.array([52, 70, 110]) * rng.uniform(0.5, 1.7)
        return np.clip(denim + 6 * rng.normals(3), 8, 250).astype(np.float32)
    return colour_from_hsv(rng.integer(0, 180), rng.integer(90, 240), rng.integer(70, 250))


def colour_from_hsv(hue: float, saturation: float, value: float) -> Floats:
    """RGB 0..255 (3,) of OpenCV's HSV (hue 0..179)."""
    return np.rint(255 * np.array(colorsys.hsv_to_rgb(hue / 180, saturation / 255, value / 255))).astype(np.float32)


def _sample_pattern(rng: RandomStream) -> Pattern:
    kind, period_metres = rng.choice(PATTERNS), rng.uniform(0.035, 0.12)
    return Pattern(kind, 2 * np.pi / period_metres, rng.uniform(0, 2 * np.pi), cloth_colour(rng), rng.uniform(0, 0.3))


def _sleeve(rng: RandomStream, top: str) -> float:
    if top == "tee":
        return rng.uniform(0.35, 0.85)
    if top == "shirt":
        return rng.choice((0.7, 1.4, 1.93))
    return 0.02 if top == "tank" else 1.93


def _leg_length(rng: RandomStream, bottom: str) -> float:
    if bottom == "shorts":
        return rng.uniform(0.45, 1.05)
    if bottom == "leggings":
        return rng.uniform(1.2, 1.95)
    return {"trousers": 1.93, "jeans": 1.9, "skirt": -0.1}[bottom]


def thickness(body: Body, regions: Regions, outfit: Outfit) -> Floats:
    """How far clothes and hair stand off each surface vertex, in metres, (S,)."""
    metres = np.zeros(body.surface, np.float32)
    bare = slice(0, body.skin)
    arm, leg, scalp, height = regions.arm[bare], regions.leg[bare], regions.scalp[bare], body.vertices[bare, 2]
    trunk = (arm < 0) & ~regions.is_head[bare]
    skin = metres[bare]

    cloth = TOP_THICKNESS[outfit.top] * outfit.looseness
    top = trunk & (leg < outfit.hem) & (height < regions.neck_z)
    skin[top] = cloth * (0.5 + 0.7 * np.clip((regions.neck_z - height[top]) / 0.4, 0, 1))  # widest at the waist
    skin[(arm >= 0) & (arm < outfit.sleeve)] = cloth * 0.9
    if outfit.bottom != "skirt":
        cloth = BOTTOM_THICKNESS[outfit.bottom] * outfit.looseness
        bottom = trunk & (leg >= outfit.hem) & (leg < outfit.leg_length)
        skin[bottom] = cloth * np.clip(0.4 + leg[bottom] * 0.5, 0.3, 1.2)  # widest at the ankle
    if not outfit.bald:
        grown = scalp > 0
        skin[grown] = 0.016 * outfit.hair_volume * np.clip(scalp[grown] / 3, 0.2, 1)
    if not outfit.barefoot:
        skin[trunk & (leg > outfit.boot)] = 0.007
    metres[body.skin :] = np.where(body.vertices[body.skin :, 2] < regions.neck_z, 0.022, 0.006)
    return metres
