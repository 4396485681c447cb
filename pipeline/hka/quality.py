"""Why a hip-knee-ankle angle should be doubted: what the keypoints alone tell of the pose and of the photo.

A bent knee looks like a varus or a valgus one when the person is seen from the side, and a turned leg looks
straighter than it is. None of it can be seen for certain in two dimensions. What can be seen are proportions, which
foreshortening changes. The limits stand just outside what 150 rendered standing bodies of both sexes and all ages
show from the front (2nd to 98th percentile, seen from 3 m): hip width over leg .21-.28, shoulder width over trunk
.56-.71, thigh over shank .94-1.22, leg over trunk 1.41-1.74. The same bodies turned by 45 degrees show a hip width of
.15-.20, sitting ones a thigh over shank of .13-.78. Of 120 rendered standing people turned at random, `not_frontal`
marks no leg below 20 degrees, 14 of 30 between 30 and 40, 16 of 20 above.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.hka.angles import HIPS, LEG_JOINTS, MIN_SCORE, SIDES, measurable, segment_lengths, varus

SHOULDERS = np.array([5, 6])
FLAGS = {
    "unseen": "a joint that the angle needs is not seen; the leg is refused",
    "small": "the leg is too short in pixels",
    "uncertain": "the heatmaps do not say where the joints are closely enough",
    "not_frontal": "the person is turned away from the camera's axis",
    "knee_bent": "the knee looks bent",
    "not_standing": "the person does not stand, or it cannot be told",
    "extrapolated": "the calibration was not fitted on such an angle",
}
JOINT_NAMES = ("hip", "knee", "ankle")


@dataclass(frozen=True)
class Limits:
    """Beyond which a leg is flagged. Ratios are of lengths in the image."""

    min_score: float = MIN_SCORE
    sd: float = 10.0  # degrees, of the angle
    degrees_per_pixel: float = 2.0  # what a lateral knee error of 1 pixel may cost: the agreement that clinics accept
    hips_over_leg: float = 0.18  # .24 seen from the front
    shoulders_over_trunk: float = 0.45  # .62 seen from the front
    thigh_over_shank: tuple[float, float] = (0.85, 1.3)
    shorter_over_longer_leg: float = 0.8
    largest_deviation: float = 25.0  # degrees: rarer than a bent knee seen from the side
    leg_over_trunk: float = 1.25
    trunk_to_leg: float = 30.0  # degrees between shoulders->hips and hip->ankle


def flags(
    keypoints: ArrayLike, scores: ArrayLike, limits: Limits | None = None, sd: ArrayLike | None = None
) -> list[list[dict[str, str]]]:
    """Flag -> reason, for each person and leg (left, right), of keypoints (N, 17, 2) and scores (N, 17).

    sd: (N, 2) degrees, of the angles, where it is known.
    """
    limits = limits or Limits()
    points, seen = np.asarray(keypoints, np.float64), np.asarray(scores, np.float64) >= limits.min_score
    with np.errstate(invalid="ignore", divide="ignore"):
        proportions = _proportions(points)
    proportions["sd"] = np.zeros((len(points), 2)) if sd is None else np.asarray(sd, np.float64)
    return [
        [
            _leg(proportions, person, leg, np.asarray(scores, np.float64)[person], seen[person], limits)
            for leg in range(2)
        ]
        for person in range(len(points))
    ]


def upright(keypoints: ArrayLike, visibility: ArrayLike, limits: Limits | None = None) -> NDArray[np.bool_]:
    """Which legs (N, 2) carry no flag."""
    return np.array([[not leg for leg in person] for person in flags(keypoints, visibility, limits)]).reshape(-1, 2)


def _proportions(points: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each (N, 2), by leg; what concerns the person stands in both columns."""
    lengths = segment_lengths(points)  # (N, 2, 2)
    whole = lengths.sum(-1)
    trunk = points[:, HIPS].mean(1) - points[:, SHOULDERS].mean(1)  # shoulders -> hips
    trunk_length = np.linalg.norm(trunk, axis=-1)
    along = points[:, LEG_JOINTS[:, 2]] - points[:, HIPS]  # hip -> ankle (N, 2, 2)
    cosine = (along * trunk[:, None]).sum(-1) / (np.linalg.norm(along, axis=-1) * trunk_length[:, None])

    def width(pair: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1)

    person = {
        "hips_over_leg": width(HIPS) / whole.mean(1),
        "shoulders_over_trunk": width(SHOULDERS) / trunk_length,
        "shorter_over_longer_leg": whole.min(1) / whole.max(1),
    }
    return {
        **{name: np.repeat(value[:, None], 2, axis=1) for name, value in person.items()},
        "degrees_per_pixel": np.degrees((1 / lengths).sum(-1)),
        "length": whole,
        "thigh_over_shank": lengths[..., 0] / lengths[..., 1],
        "deviation": varus(points),
        "leg_over_trunk": whole / trunk_length[:, None],
        "trunk_to_leg": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
    }


def _leg(
    proportions: dict[str, NDArray[np.float64]],
    person: int,
    leg: int,
    scores: NDArray[np.float64],
    seen: NDArray[np.bool_],
    limits: Limits,
) -> dict[str, str]:
    if not measurable(seen[None])[0, leg]:
        return {"unseen": _unseen(leg, scores, seen)}
    p = {name: float(value[person, leg]) for name, value in proportions.items()}
    both_legs, shoulders = bool(seen[LEG_JOINTS].all()), bool(seen[SHOULDERS].all())
    reasons: dict[str, list[str]] = {
        "small": [],
        "uncertain": [],
        "not_frontal": [],
        "knee_bent": [],
        "not_standing": [],
    }
    if p["degrees_per_pixel"] > limits.degrees_per_pixel:
        reasons["small"].append(
            f"leg of {p['length']:.0f} px: 1 px of knee error is {p['degrees_per_pixel']:.1f} degrees, "
            f"at most {limits.degrees_per_pixel:g} wanted"
        )
    if p["sd"] > limits.sd:
        reasons["uncertain"].append(f"standard deviation of {p['sd']:.0f} degrees, at most {limits.sd:g} wanted")
    for name in ("hips_over_leg", "shoulders_over_trunk") if shoulders else ("hips_over_leg",):
        if p[name] < getattr(limits, name):
            reasons["not_frontal"].append(_below(name, p[name], limits))
    low, high = limits.thigh_over_shank
    if not low <= p["thigh_over_shank"] <= high:
        reasons["knee_bent"].append(f"thigh over shank {p['thigh_over_shank']:.2f}, {low:g} to {high:g} when straight")
    if both_legs and p["shorter_over_longer_leg"] < limits.shorter_over_longer_leg:
        reasons["knee_bent"].append(_below("shorter_over_longer_leg", p["shorter_over_longer_leg"], limits))
    if abs(p["deviation"]) > limits.largest_deviation:
        reasons["knee_bent"].append(
            f"deviation of {abs(p['deviation']):.0f} degrees, above {limits.largest_deviation:g} a bend is likelier"
        )
    if not shoulders:
        reasons["not_standing"].append("shoulders unseen, so standing cannot be checked")
    else:
        if p["leg_over_trunk"] < limits.leg_over_trunk:
            reasons["not_standing"].append(_below("leg_over_trunk", p["leg_over_trunk"], limits))
        if p["trunk_to_leg"] > limits.trunk_to_leg:
            reasons["not_standing"].append(
                f"leg {p['trunk_to_leg']:.0f} degrees from the trunk, at most {limits.trunk_to_leg:g} when standing"
            )
    return {flag: "; ".join(why) for flag, why in reasons.items() if why}


def _below(name: str, value: float, limits: Limits) -> str:
    return f"{name.replace('_', ' ')} {value:.2f}, at least {getattr(limits, name):g} wanted"


def _unseen(leg: int, scores: NDArray[np.float64], seen: NDArray[np.bool_]) -> str:
    needed = {f"{SIDES[leg]} {name}": LEG_JOINTS[leg, j] for j, name in enumerate(JOINT_NAMES)}
    needed[f"{SIDES[1 - leg]} hip"] = HIPS[1 - leg]
    return ", ".join(f"{name} (score {scores[joint]:.2f})" for name, joint in needed.items() if not seen[joint])
