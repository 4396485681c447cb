"""Random numbers: distributed as SciPy says, the same for a seed in every version of NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.demo.random_stream import RandomStream

COUNT = 20_000


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (lambda rng: rng.random(), stats.uniform()),
        (lambda rng: rng.uniform(-2, 5), stats.uniform(-2, 7)),
        (lambda rng: rng.normal(3, 2), stats.norm(3, 2)),
        (lambda rng: rng.exponential(0.12), stats.expon(scale=0.12)),
        (lambda rng: rng.gamma(2, 0.09), stats.gamma(2, scale=0.09)),
        (lambda rng: rng.gamma(1.5, 32), stats.gamma(1.5, scale=32)),
    ],
    ids=["random", "uniform", "normal", "exponential", "gamma of 2", "gamma of 1.5"],
)
def test_numbers_have_their_distribution(draw: Callable[[RandomStream], float], distribution: Any) -> None:
    rng = RandomStream(1, 2)
    drawn = np.array([draw(rng) for _ in range(COUNT)])
    assert stats.kstest(drawn, distribution.cdf).statistic < 1.95 / COUNT**0.5  # one in a thousand
    assert drawn.std() == pytest.approx(distribution.std(), rel=0.03)


def test_arrays_have_the_distribution_of_single_numbers() -> None:
    rng = RandomStream(3)
    assert rng.normals(4, 2).shape == (4, 2)
    assert rng.coarse_normals(3, 5, 1).shape == (3, 5, 1)
    assert stats.kstest(rng.uniforms(COUNT), stats.uniform().cdf).statistic < 1.95 / COUNT**0.5
    for normals in (rng.normals(COUNT), rng.coarse_normals(COUNT)):
        assert normals.mean() == pytest.approx(0, abs=0.03)
        assert normals.std() == pytest.approx(1, rel=0.03)
        assert np.abs(np.quantile(normals, [0.02, 0.98])) == pytest.approx([2.054, 2.054], abs=0.07)
    assert RandomStream(5).normals(1)[0] == RandomStream(5).normal()


def test_choices_have_their_shares() -> None:
    rng = RandomStream(4)
    shares = [0.1, 0.2, 0.3, 0.4]
    chosen = np.bincount([rng.choice(range(4), shares) for _ in range(COUNT)])
    assert chosen / COUNT == pytest.approx(shares, abs=0.015)
    equal = np.bincount([rng.choice("abc").encode()[0] - 97 for _ in range(COUNT)])
    assert equal / COUNT == pytest.approx([1 / 3] * 3, abs=0.015)
    whole = [rng.integer(-2, 3) for _ in range(COUNT)]
    assert set(whole) == {-2, -1, 0, 1, 2}


def test_streams_differ_and_stay() -> None:
    assert RandomStream(1, 2).random() != RandomStream(1, 3).random()
    rng = RandomStream(1, 2)
    numbers = [rng.random(), rng.normal(), rng.exponential(1.0), rng.integer(0, 1000)]
    assert numbers == [0.44841514333227195, -2.0971221923828125, 1.8749215156598251, 987]
