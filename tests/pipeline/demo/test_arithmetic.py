"""The demo's own sines and powers, against those of NumPy."""

import math

import numpy as np
import pytest

from pipeline.demo.arithmetic import arctangent, decay, dot, length, mean, power, sine, sine_cosine

RNG = np.random.default_rng(0)


def test_sine_and_cosine() -> None:
    for degrees in [*RNG.uniform(-1000, 1000, 200).tolist(), *range(-360, 361, 15)]:
        expected = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        assert sine_cosine(degrees) == pytest.approx(expected, abs=1e-14)
    radians = RNG.uniform(-500, 500, 1000)
    assert np.abs(sine(radians) - np.sin(radians)).max() < math.pi / 4096 * 1.01  # half a step
    assert sine(radians.astype(np.float32)).dtype == np.float32


def test_arctangent_in_every_quadrant() -> None:
    y, x = RNG.normal(size=(2, 500))
    assert arctangent(y, x) == pytest.approx(np.degrees(np.arctan2(y, x)), abs=1e-9)
    assert arctangent(np.array([0.0, 2, -2]), np.array([3.0, 0, 0])) == pytest.approx([0, 90, -90])


@pytest.mark.parametrize("exponent", [0.65, 1.0, 1.15])
def test_power(exponent: float) -> None:
    base = np.arange(256) / 255
    assert power(base, exponent) == pytest.approx(base**exponent, abs=1e-4)


def test_decay() -> None:
    x = np.linspace(0, 30, 400, dtype=np.float32)
    assert decay(x) == pytest.approx(np.exp(-x), abs=2e-4)


def test_products_and_means() -> None:
    first, second = RNG.normal(size=(2, 4, 5, 3))
    assert dot(first, second) == pytest.approx((first * second).sum(-1))
    assert length(first) == pytest.approx(np.linalg.norm(first, axis=-1))
    assert mean(first[0]) == pytest.approx(first[0].mean(0), abs=2**-20)
