"""Bias, limits of agreement and calibration of legs whose error is known."""

import numpy as np
import pytest

from pipeline.hka.agreement import Comparison, fit_calibration, measure_agreement


def test_agreement_is_that_of_bland_and_altman() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-15, 15, 4000)
    found = truth + 1.5 + rng.normal(0, 2, 4000)
    found[:10] = np.nan
    got = measure_agreement(Comparison(found, truth, np.full(4000, 2.5)))
    assert (got.legs, got.refused) == (3990, 10)
    assert got.bias == pytest.approx(1.5, abs=0.1)
    assert (got.lower, got.upper) == (
        pytest.approx(1.5 - 1.96 * 2, abs=0.2),
        pytest.approx(1.5 + 1.96 * 2, abs=0.2),
    )
    assert measure_agreement(Comparison(found[:2], truth[:2], found[:2])).bias is None


def test_calibration_finds_a_line_in_spite_of_a_few_wrong_legs() -> None:
    rng = np.random.default_rng(0)
    found = rng.uniform(-15, 15, 400)
    truth = -3 + 1.1 * found + rng.normal(0, 0.5, 400)
    found[:20] += 60
    line = fit_calibration(Comparison(found, truth, found), np.arange(400) % 2 == 1)
    assert line.slope == pytest.approx(1.1, abs=0.03)
    assert line.intercept == pytest.approx(-3, abs=0.2)
    with pytest.raises(ValueError, match="render more"):
        fit_calibration(Comparison(found[:12], truth[:12], found[:12]), np.arange(12) % 2 == 1)
