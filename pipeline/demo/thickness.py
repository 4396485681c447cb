"""How far clothes and hair stand off the body."""

import numpy as np

from pipeline.demo.arithmetic import Floats
from pipeline.demo.body import Body
from pipeline.demo.outfit import Outfit
from pipeline.demo.regions import Regions

TOP_THICKNESS = {"tee": 0.010, "long": 0.012, "tank": 0.004, "jacket": 0.024, "shirt": 0.014}  # metres
BOTTOM_THICKNESS = {"trousers": 0.016, "jeans": 0.010, "shorts": 0.018, "leggings": 0.002}


def thickness(body: Body, regions: Regions, outfit: Outfit) -> Floats:
    """Return how far clothes and hair stand off each surface vertex, (S,) in metres."""
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
