"""How well measured angles agree with the truth: Bland and Altman's bias and limits, and a straight line that
corrects them.

Bland, Altman: "Statistical methods for assessing agreement between two methods of clinical measurement", Lancet 1986.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.hka.angles import difference

ACCEPTED = 2.0  # degrees: about what clinics accept between two ways of measuring
NORMAL_95 = 1.96

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Legs measured beside their truth, varus-positive degrees; NaN where the leg was refused."""

    found: Array  # (L,)
    truth: Array  # (L,)
    sd: Array  # (L,) that the measurement gives for itself

    @property
    def measured(self) -> "Comparison":
        """The legs that were not refused."""
        kept = np.isfinite(self.found) & np.isfinite(self.truth)
        return Comparison(self.found[kept], self.truth[kept], self.sd[kept])

    @classmethod
    def joined(cls, parts: Sequence["Comparison"]) -> "Comparison":
        """The legs of several, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("found", "truth", "sd")))

    def take(self, kept: NDArray[np.bool_]) -> "Comparison":
        """The legs asked for."""
        return Comparison(self.found[kept], self.truth[kept], self.sd[kept])


@dataclass(frozen=True)
class Agreement:
    """Degrees, found - truth. None where there are too few legs for a number."""

    legs: int
    refused: int
    bias: float | None = None
    sd: float | None = None
    lower: float | None = None  # limits of agreement, bias -+ 1.96 sd
    upper: float | None = None
    mean_absolute: float | None = None
    median_absolute: float | None = None
    within_2_degrees: float | None = None  # share of legs
    correlation: float | None = None
    inside_own_95: float | None = None  # share whose error is within 1.96 of the sd stated for the leg: .95 is honest


def agreement(comparison: Comparison) -> Agreement:
    """Bias and limits of agreement; the two legs of a person count as two."""
    kept = comparison.measured
    legs, refused = len(kept.found), int(len(comparison.found) - len(kept.found))
    if legs < 3:
        return Agreement(legs, refused)
    error = difference(kept.found, kept.truth)
    bias, sd = float(error.mean()), float(error.std(ddof=1))
    stated = np.isfinite(kept.sd)
    varied = bool(kept.found.std() > 0 and kept.truth.std() > 0)
    return Agreement(
        legs,
        refused,
        bias,
        sd,
        bias - NORMAL_95 * sd,
        bias + NORMAL_95 * sd,
        float(np.abs(error).mean()),
        float(np.median(np.abs(error))),
        float((np.abs(error) <= ACCEPTED).mean()),
        float(np.corrcoef(kept.found, kept.truth)[0, 1]) if varied else None,
        float((np.abs(error) <= NORMAL_95 * kept.sd)[stated].mean()) if stated.any() else None,
    )


@dataclass(frozen=True)
class Calibration:
    """truth = intercept + slope * found, varus-positive degrees, and what is left over on persons it has not seen."""

    intercept: float
    slope: float
    residual_rms: float  # degrees, on the held-out persons
    uncorrected_rms: float  # degrees, on the same persons without the line
    legs_fitted: int
    legs_held_out: int
    range: tuple[float, float]  # degrees found among the fitted legs; outside it the line is a guess

    def apply(self, varus: Array) -> Array:
        """Corrected varus-positive degrees."""
        return self.intercept + self.slope * np.asarray(varus, np.float64)

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return asdict(self)


def calibrate(comparison: Comparison, held_out: NDArray[np.bool_]) -> Calibration:
    """Fit by Theil and Sen's median of slopes, which a few legs mistaken for each other do not move.

    held_out: (L,) legs that judge the line and have no part in it. Raises ValueError for fewer than ten legs on a side.
    """
    from scipy.stats import theilslopes

    known = np.isfinite(comparison.found) & np.isfinite(comparison.truth)
    fitted, judged = comparison.take(known & ~held_out), comparison.take(known & held_out)
    if min(len(fitted.found), len(judged.found)) < 10:
        raise ValueError(
            f"{len(fitted.found)} legs to fit a calibration and {len(judged.found)} to judge it: "
            "expected at least 10 each; render more persons"
        )
    slope, intercept, *_ = theilslopes(fitted.truth, fitted.found, method="joint")
    residual = difference(intercept + slope * judged.found, judged.truth)
    return Calibration(
        float(intercept),
        float(slope),
        _rms(residual),
        _rms(difference(judged.found, judged.truth)),
        len(fitted.found),
        len(judged.found),
        (float(fitted.found.min()), float(fitted.found.max())),
    )


def _rms(error: Array) -> float:
    return float(np.sqrt((error**2).mean()))
