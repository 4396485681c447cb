"""Reasons to doubt a hip-knee-ankle angle, from what the keypoints show of the pose and of the photo.

A bent knee looks like a varus or a valgus one when the person is seen from the side, and a turned leg looks straighter
than it is. Two dimensions cannot show either for certain. What they show are proportions, which foreshortening changes.
The limits are just outside what 150 rendered standing bodies of both sexes and all ages show from the front (2nd to
98th percentile, seen from 3 m): hip width over leg .21-.28, shoulder width over trunk .56-.71, thigh over shank
.94-1.22, leg over trunk 1.41-1.74. True joint centres of 150 such bodies show .24-.30, .58-.73, .79-1.18 and 1.61-1.83,
and have limits as far outside. The same bodies turned by 45 degrees show a hip width of .15-.20, sitting ones a
thigh over shank of .13-.78. Of 120 rendered standing people turned at random, `not_frontal` marks no leg below 20
degrees, 14 of 30 between 30 and 40, 16 of 20 above.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.hka.angles import HIPS, LEG_JOINTS, LEG_SIDES, MIN_SCORE, Array, measurable, segment_lengths, varus
from pipeline.hka.definition import AngleDefinition

SHOULDERS = np.array([5, 6])
JOINT_NAMES = ("hip", "knee", "ankle")
FLAG_MEANINGS = {
    "unseen": "a joint that the angle needs is not seen; the leg is refused",
    "small": "the leg is too short in pixels",
    "uncertain": "the heatmaps do not show closely enough where the joints are",
    "not_frontal": "the person is turned away from the camera's axis",
    "knee_bent": "the knee looks bent; the leg is refused, because a bend seen in two dimensions is no varus",
    "not_standing": "the person does not stand, or the keypoints do not show it",
    "extrapolated": "the calibration was not fitted on such an angle",
}

#: flags of legs that get no angle
REFUSING_FLAGS = ("unseen", "knee_bent")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits beyond which a leg is flagged. Ratios are of lengths in the image."""

    min_score: float = MIN_SCORE
    #: degrees, of the angle
    sd: float = 10.0
    #: degrees that a lateral knee error of 1 pixel may cost: the agreement that clinics accept
    degrees_per_pixel: float = 2.0
    #: .24 seen from the front
    hips_over_leg: float = 0.18
    #: .62 seen from the front
    shoulders_over_trunk: float = 0.45
    thigh_over_shank: tuple[float, float] = (0.85, 1.3)
    shorter_over_longer_leg: float = 0.8
    #: degrees; a larger deviation is rarer than a bent knee seen from the side
    largest_deviation: float = 25.0
    leg_over_trunk: float = 1.25
    #: degrees between shoulders->hips and hip->ankle
    trunk_to_leg: float = 30.0


DEFAULT_LIMITS = Limits()


def limits_of(angle: AngleDefinition, min_score: float = MIN_SCORE) -> Limits:
    """Return the limits for the joints of an angle: true joint centres have other proportions than COCO's points."""
    if not angle.is_mechanical:
        return Limits(min_score=min_score)
    return Limits(
        min_score=min_score,
        hips_over_leg=0.195,
        shoulders_over_trunk=0.47,
        thigh_over_shank=(0.7, 1.38),
        leg_over_trunk=1.39,
    )


@dataclass(frozen=True, kw_only=True)
class LegProportions:
    """What the keypoints show of one leg and its person. Ratios are of lengths in the image."""

    #: pixels of thigh and shank together
    length: float
    #: degrees that a lateral knee error of 1 pixel costs
    degrees_per_pixel: float
    #: degrees of varus
    deviation: float
    #: degrees, standard deviation of the angle; NaN where it is unknown
    sd: float
    hips_over_leg: float
    shoulders_over_trunk: float
    thigh_over_shank: float
    shorter_over_longer_leg: float
    leg_over_trunk: float
    #: degrees between shoulders->hips and hip->ankle
    trunk_to_leg: float


def find_flags(
    keypoints: ArrayLike, scores: ArrayLike, limits: Limits = DEFAULT_LIMITS, sd: ArrayLike | None = None
) -> list[list[dict[str, str]]]:
    """Return flag -> reason, for each person and leg (left, right), of keypoints (N, 17, 2) and scores (N, 17).

    sd (N, 2): standard deviations of the angles in degrees, where they are known. FLAG_MEANINGS names all flags.
    """
    points, confidence = np.asarray(keypoints, np.float64), np.asarray(scores, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        proportions = _proportions(points)
    proportions["sd"] = np.full((len(points), 2), np.nan) if sd is None else np.asarray(sd, np.float64)
    flags = []
    for person in range(len(points)):
        legs = []
        for leg in range(2):
            of_leg = LegProportions(**{name: float(value[person, leg]) for name, value in proportions.items()})
            legs.append(_leg_flags(of_leg, leg, confidence[person], limits))
        flags.append(legs)
    return flags


def _proportions(points: Array) -> dict[str, Array]:
    """Return proportions (N, 2) by leg; those of the whole person are repeated for both legs."""
    lengths = segment_lengths(points)  # (N, 2, 2)
    whole = lengths.sum(-1)
    trunk = points[:, HIPS].mean(1) - points[:, SHOULDERS].mean(1)  # shoulders -> hips
    trunk_length = np.linalg.norm(trunk, axis=-1)
    along = points[:, LEG_JOINTS[:, 2]] - points[:, HIPS]  # hip -> ankle (N, 2, 2)
    cosine = (along * trunk[:, None]).sum(-1) / (np.linalg.norm(along, axis=-1) * trunk_length[:, None])
    of_person = {
        "hips_over_leg": _width(points, HIPS) / whole.mean(1),
        "shoulders_over_trunk": _width(points, SHOULDERS) / trunk_length,
        "shorter_over_longer_leg": whole.min(1) / whole.max(1),
    }
    return {
        **{name: np.repeat(value[:, None], 2, axis=1) for name, value in of_person.items()},
        "degrees_per_pixel": np.degrees((1 / lengths).sum(-1)),
        "length": whole,
        "thigh_over_shank": lengths[..., 0] / lengths[..., 1],
        "deviation": varus(points),
        "leg_over_trunk": whole / trunk_length[:, None],
        "trunk_to_leg": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
    }


def _width(points: Array, pair: NDArray[np.int64]) -> Array:
    return np.asarray(np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1))


def _leg_flags(proportions: LegProportions, leg: int, scores: Array, limits: Limits) -> dict[str, str]:
    """Return flag -> reasons of one leg; scores (17,) are the person's."""
    seen = scores >= limits.min_score
    if not measurable(seen[None])[0, leg]:
        return {"unseen": _unseen(leg, scores, seen)}
    shoulders, both_legs = bool(seen[SHOULDERS].all()), bool(seen[LEG_JOINTS].all())
    reasons = {
        "small": _small(proportions, limits),
        "uncertain": _uncertain(proportions, limits),
        "not_frontal": _not_frontal(proportions, limits, shoulders),
        "knee_bent": _knee_bent(proportions, limits, both_legs),
        "not_standing": _not_standing(proportions, limits, shoulders),
    }
    return {flag: "; ".join(found) for flag, found in reasons.items() if found}


def _small(leg: LegProportions, limits: Limits) -> list[str]:
    reason = (
        f"leg of {leg.length:.0f} px: 1 px of knee error is {leg.degrees_per_pixel:.1f} degrees, "
        f"at most {limits.degrees_per_pixel:g} wanted"
    )
    return [reason] if leg.degrees_per_pixel > limits.degrees_per_pixel else []


def _uncertain(leg: LegProportions, limits: Limits) -> list[str]:
    reason = f"standard deviation of {leg.sd:.0f} degrees, at most {limits.sd:g} wanted"
    # false where the deviation is not known
    return [reason] if leg.sd > limits.sd else []


def _not_frontal(leg: LegProportions, limits: Limits, shoulders: bool) -> list[str]:
    return [
        *_too_small("hips_over_leg", leg, limits.hips_over_leg),
        *(_too_small("shoulders_over_trunk", leg, limits.shoulders_over_trunk) if shoulders else []),
    ]


def _knee_bent(leg: LegProportions, limits: Limits, both_legs: bool) -> list[str]:
    reasons = []
    low, high = limits.thigh_over_shank
    if not low <= leg.thigh_over_shank <= high:
        reasons.append(f"thigh over shank {leg.thigh_over_shank:.2f}, {low:g} to {high:g} when straight")
    if both_legs:
        reasons += _too_small("shorter_over_longer_leg", leg, limits.shorter_over_longer_leg)
    if abs(leg.deviation) > limits.largest_deviation:
        reasons.append(
            f"deviation of {abs(leg.deviation):.0f} degrees, above {limits.largest_deviation:g} a bend is likelier"
        )
    return reasons


def _not_standing(leg: LegProportions, limits: Limits, shoulders: bool) -> list[str]:
    if not shoulders:
        return ["shoulders unseen: standing cannot be checked"]
    reasons = _too_small("leg_over_trunk", leg, limits.leg_over_trunk)
    if leg.trunk_to_leg > limits.trunk_to_leg:
        reasons.append(
            f"leg {leg.trunk_to_leg:.0f} degrees from the trunk, at most {limits.trunk_to_leg:g} when standing"
        )
    return reasons


def _too_small(name: str, leg: LegProportions, limit: float) -> list[str]:
    value: float = getattr(leg, name)
    return [f"{name.replace('_', ' ')} {value:.2f}, at least {limit:g} wanted"] if value < limit else []


def _unseen(leg: int, scores: Array, seen: NDArray[np.bool_]) -> str:
    needed = {f"{LEG_SIDES[leg]} {name}": LEG_JOINTS[leg, joint] for joint, name in enumerate(JOINT_NAMES)}
    needed[f"{LEG_SIDES[1 - leg]} hip"] = HIPS[1 - leg]
    return ", ".join(f"{name} (score {scores[joint]:.2f})" for name, joint in needed.items() if not seen[joint])
