"""How well measured angles agree with the truth: bias, limits of agreement, and a straight line that corrects them.

Bland, Altman: "Statistical methods for assessing agreement between two methods of clinical measurement", Lancet 1986.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.hka.angles import Array, angle_difference

#: degrees: about what clinics accept between two ways of measuring
ACCEPTED = 2.0
#: legs on either side of a calibration
FEWEST_LEGS = 10
#: standard deviations on either side of the mean that hold 95 percent of a normal distribution
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Comparison:
    """Measured legs beside their truth, in varus-positive degrees; NaN where a leg was refused."""

    #: (L,)
    found: Array
    #: (L,)
    truth: Array
    #: (L,) standard deviation that the measurement states for itself
    sd: Array

    @property
    def measured(self) -> "Comparison":
        """Return the legs that were not refused."""
        return self.take(np.isfinite(self.found) & np.isfinite(self.truth))

    @classmethod
    def joined(cls, parts: Sequence["Comparison"]) -> "Comparison":
        """Return the legs of several comparisons, one after the other."""
        return cls(
            np.concatenate([part.found for part in parts]),
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.sd for part in parts]),
        )

    def take(self, kept: NDArray[np.bool_]) -> "Comparison":
        """Return the legs where `kept` (L,) is true."""
        return Comparison(self.found[kept], self.truth[kept], self.sd[kept])


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Statistics of found - truth in degrees; None where there are too few legs for a number."""

    legs: int
    refused: int
    bias: float | None = None
    sd: float | None = None
    #: lower limit of agreement: bias - 1.96 sd
    lower: float | None = None
    #: upper limit of agreement: bias + 1.96 sd
    upper: float | None = None
    mean_absolute: float | None = None
    median_absolute: float | None = None
    #: share of legs
    within_2_degrees: float | None = None
    correlation: float | None = None
    #: share of legs whose error is within 1.96 of the sd that is stated for them; .95 where sds are right
    inside_own_95: float | None = None


def measure_agreement(comparison: Comparison) -> Agreement:
    """Return bias and limits of agreement; the two legs of a person count as two."""
    kept = comparison.measured
    legs, refused = len(kept.found), len(comparison.found) - len(kept.found)
    if legs < 3:
        return Agreement(legs=legs, refused=refused)
    error = angle_difference(kept.found, kept.truth)
    bias, sd = float(error.mean()), float(error.std(ddof=1))
    stated = np.isfinite(kept.sd)
    varied = bool(kept.found.std() > 0 and kept.truth.std() > 0)
    return Agreement(
        legs=legs,
        refused=refused,
        bias=bias,
        sd=sd,
        lower=bias - NORMAL_95 * sd,
        upper=bias + NORMAL_95 * sd,
        mean_absolute=float(np.abs(error).mean()),
        median_absolute=float(np.median(np.abs(error))),
        within_2_degrees=float((np.abs(error) <= ACCEPTED).mean()),
        correlation=float(np.corrcoef(kept.found, kept.truth)[0, 1]) if varied else None,
        inside_own_95=float((np.abs(error) <= NORMAL_95 * kept.sd)[stated].mean()) if stated.any() else None,
    )


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """truth = intercept + slope * found in varus-positive degrees, and the error that remains on other persons."""

    intercept: float
    slope: float
    #: degrees, on the held-out legs
    residual_rms: float
    #: degrees, on the same legs without the line
    uncorrected_rms: float
    legs_fitted: int
    legs_held_out: int
    #: degrees found among the fitted legs; beyond them the line is a guess
    range: tuple[float, float]

    def apply(self, varus: Array) -> Array:
        """Return corrected varus-positive degrees."""
        return self.intercept + self.slope * np.asarray(varus, np.float64)

    def to_json(self) -> dict[str, object]:
        """Return a JSON object."""
        return asdict(self)


def fit_calibration(comparison: Comparison, held_out: NDArray[np.bool_]) -> Calibration:
    """Fit a line by Theil and Sen's median of slopes, which a few legs taken for each other do not move.

    held_out (L,): legs that test the line and have no part in the fit. Raises ValueError for fewer than ten legs on a
    side.
    """
    from scipy.stats import theilslopes

    known = np.isfinite(comparison.found) & np.isfinite(comparison.truth)
    fitted, tested = comparison.take(known & ~held_out), comparison.take(known & held_out)
    if min(len(fitted.found), len(tested.found)) < FEWEST_LEGS:
        raise ValueError(
            f"{len(fitted.found)} legs to fit a calibration and {len(tested.found)} to test it: "
            f"expected at least {FEWEST_LEGS} each; render more persons"
        )
    slope, intercept, *_ = theilslopes(fitted.truth, fitted.found, method="joint")
    return Calibration(
        intercept=float(intercept),
        slope=float(slope),
        residual_rms=_rms(angle_difference(intercept + slope * tested.found, tested.truth)),
        uncorrected_rms=_rms(angle_difference(tested.found, tested.truth)),
        legs_fitted=len(fitted.found),
        legs_held_out=len(tested.found),
        range=(float(fitted.found.min()), float(fitted.found.max())),
    )


def _rms(error: Array) -> float:
    return float(np.sqrt((error**2).mean()))
