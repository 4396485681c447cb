"""Cloth: its colours, the patterns printed on it, and its folds."""

import colorsys
from dataclasses import dataclass

import numpy as np

from pipeline.demo.arithmetic import Floats, sine
from pipeline.demo.random_stream import RandomStream

GREYS = (25.0, 50.0, 90.0, 140.0, 190.0, 235.0)
PATTERNS = ("plain", "plain", "plain", "hstripe", "vstripe", "check", "blotch", "block")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A print on cloth."""

    kind: str  #: one of PATTERNS
    frequency: float = 1.0  #: radians a metre
    phase: float = 0.0  #: radians
    colour: Floats  #: (3,) RGB 0..255
    duty: float = 0.0  #: more covers less of the cloth


def sample_pattern(rng: RandomStream) -> Pattern:
    """Return a pattern; three in eight are plain."""
    return Pattern(
        kind=rng.choice(PATTERNS),
        frequency=2 * np.pi / rng.uniform(0.035, 0.12),
        phase=rng.uniform(0, 2 * np.pi),
        colour=cloth_colour(rng),
        duty=rng.uniform(0, 0.3),
    )


def cloth_colour(rng: RandomStream) -> Floats:
    """Return a colour (3,) that cloth has: often grey, sometimes denim, else any."""
    if rng.random() < 0.42:
        grey = rng.choice(GREYS) + rng.normal(0, 8)
        return _dyed(grey + 6 * rng.normals(3))
    if rng.random() < 0.25:
        denim = np.array([52, 70, 110]) * rng.uniform(0.5, 1.7)
        return _dyed(denim + 6 * rng.normals(3))
    return colour_from_hsv(rng.integer(0, 180), rng.integer(90, 240), rng.integer(70, 250))


def _dyed(colour: Floats) -> Floats:
    """Return the nearest colour (3,) that cloth has."""
    possible: Floats = np.clip(colour, 8, 250).astype(np.float32)
    return possible


def colour_from_hsv(hue: float, saturation: float, value: float) -> Floats:
    """Return RGB 0..255 (3,) of hue 0..180, saturation and value 0..255."""
    rgb = colorsys.hsv_to_rgb(hue / 180, saturation / 255, value / 255)
    return np.array([round(255 * channel) for channel in rgb], np.float32)


def printed(colour: Floats, pattern: Pattern, xyz: Floats, phases: tuple[float, ...]) -> Floats:
    """Return the colours (P, 3) of cloth of `colour` with `pattern` on it, at points (P, 3) of the mean body."""
    rows, columns, phase = pattern.frequency * xyz[:, 2], pattern.frequency * xyz[:, 0], pattern.phase
    if pattern.kind == "hstripe":
        inked = sine(rows + phase) > pattern.duty
    elif pattern.kind == "vstripe":
        inked = sine(columns + phase) > pattern.duty
    elif pattern.kind == "check":
        inked = (sine(rows + phase) > 0) ^ (sine(columns) > 0)
    elif pattern.kind == "blotch":
        inked = wave(xyz, phases, pattern.frequency * 0.5) > pattern.duty
    elif pattern.kind == "block":
        inked = xyz[:, 2] > 0.28 + 0.1 * sine(np.array(phase))
    else:
        return np.broadcast_to(colour, xyz.shape)
    return np.where(inked[:, None], pattern.colour, colour)


def wave(xyz: Floats, phases: tuple[float, ...], frequency: float) -> Floats:
    """Return smooth noise (P,) in about -1..1 that changes over 1 / frequency metres: two warped sines.

    xyz: (P, 3) metres. phases: four, in radians.
    """
    x, y, z = xyz[:, 0], xyz[:, 1], xyz[:, 2]
    first, second, third, fourth = phases
    coarse_warp = 1.7 * sine(0.43 * frequency * (y - z) + second)
    fine_warp = 1.5 * sine(0.7 * frequency * (z + y) + fourth)
    coarse = sine(frequency * (z + 0.6 * x) + first + coarse_warp)
    fine = sine(1.9 * frequency * (x - 0.5 * z + 0.3 * y) + third + fine_warp)
    return 0.5 * coarse + 0.5 * fine
