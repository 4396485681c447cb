"""What a person wears: skin, hair, clothes and their patterns."""

from dataclasses import dataclass

import numpy as np

from pipeline.demo.arithmetic import Floats
from pipeline.demo.cloth import Pattern, cloth_colour, sample_pattern
from pipeline.demo.random_stream import RandomStream

SKIN_COLOURS = (
    (255, 219, 189), (241, 194, 155), (224, 172, 125), (198, 134, 94),
    (161, 102, 66), (122, 75, 48), (88, 52, 36), (240, 205, 180),
)  # fmt: skip
HAIR_COLOURS = (
    (28, 22, 20), (58, 40, 28), (92, 62, 36), (150, 108, 58),
    (205, 170, 110), (120, 118, 116), (205, 203, 200), (112, 50, 28),
)  # fmt: skip
HAIR_SHARES = (0.3, 0.22, 0.16, 0.08, 0.07, 0.07, 0.04, 0.06)
TOP_SHARES = {"tee": 0.36, "long": 0.24, "tank": 0.1, "jacket": 0.16, "shirt": 0.14}
BOTTOM_SHARES = {"trousers": 0.36, "jeans": 0.26, "shorts": 0.24, "leggings": 0.14}


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Looks of a person: colours are RGB 0..255; lengths along limbs are in the coordinates of Regions."""

    skin: Floats  #: (3,)
    hair: Floats  #: (3,)
    top: str  #: one of TOP_SHARES
    bottom: str  #: one of BOTTOM_SHARES, or skirt
    top_colour: Floats  #: (3,)
    bottom_colour: Floats  #: (3,)
    top_pattern: Pattern
    bottom_pattern: Pattern
    sleeve: float  #: end of the sleeves, as an arm coordinate
    hem: float  #: end of the top, as a leg coordinate
    neckline: float  #: metres that the collar lies lower
    v_neck: float
    leg_length: float  #: end of the trousers, as a leg coordinate
    shoe: Floats  #: (3,)
    boot: float  #: start of the shoe, as a leg coordinate
    socks: bool
    looseness: float
    wrinkles: float
    phases: tuple[float, ...]  #: four, in radians, of the folds and blotches
    beard: bool
    bald: bool
    long_hair: bool
    hair_length: float
    hair_volume: float
    gloves: bool
    barefoot: bool
    cap: bool
    cap_colour: Floats  #: (3,)
    skirt_length: float
    logo: bool


def sample_outfit(rng: RandomStream, male: bool, age: float, skirts: bool) -> Outfit:
    """Return a person's outfit; skirts: whether a woman may wear one."""
    top = rng.choice(list(TOP_SHARES), list(TOP_SHARES.values()))
    bottom = rng.choice(list(BOTTOM_SHARES), list(BOTTOM_SHARES.values()))
    if not male and skirts and rng.random() < 0.35:
        bottom = "skirt"
    skin = np.array(rng.choice(SKIN_COLOURS)) * rng.uniform(0.88, 1.06) + 4 * rng.normals(3)
    hair = np.array(rng.choice(HAIR_COLOURS, HAIR_SHARES)) * rng.uniform(0.8, 1.2)
    top_colour, bottom_colour, top_pattern = cloth_colour(rng), cloth_colour(rng), sample_pattern(rng)
    printed = bottom != "jeans" and rng.random() < 0.4
    bottom_pattern = sample_pattern(rng) if printed else Pattern(kind="plain", colour=cloth_colour(rng))
    if rng.random() < 0.07:  # overalls, a suit, a track suit
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
        phases=tuple(rng.uniform(0, 2 * np.pi) for _ in range(4)),
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
