"""The uncertainty of a joint is recovered from a Gaussian peak, wherever it is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cache_tools.geometry import cell_to_crop, compose, crop_to_image
from pipeline.hka.covariance import SMALLEST_SD, covariance_cells, covariance_image


def gaussian(
    centre: tuple[float, float], covariance: NDArray[np.float64], size: tuple[int, int] = (64, 48)
) -> NDArray[np.float32]:
    """Return a map of height 1 at a centre (x, y)."""
    y, x = np.mgrid[: size[0], : size[1]]
    offset = np.stack([x - centre[0], y - centre[1]], axis=-1)
    squared = np.einsum("...i,ij,...j->...", offset, np.linalg.inv(covariance), offset)
    return np.exp(-0.5 * squared).astype(np.float32)


@given(st.floats(8, 40), st.floats(8, 55), st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0, math.pi))
def test_the_covariance_of_a_gaussian_is_recovered_wherever_it_is(
    x: float, y: float, first: float, second: float, turn: float
) -> None:
    c, s = math.cos(turn), math.sin(turn)
    extra = np.array([[c, -s], [s, c]]) @ np.diag([first**2, second**2]) @ np.array([[c, s], [-s, c]])
    maps = 0.7 * gaussian((x, y), 4 * np.eye(2) + extra)
    assert covariance_cells(maps[None, None], 2.0)[0, 0] == pytest.approx(extra, abs=0.02)


def test_the_covariance_of_odd_maps_stays_finite() -> None:
    # blank, one cell in the corner, flat, narrower than it was trained to be
    maps = np.zeros((4, 64, 48), np.float32)
    maps[1, 0, 0] = 1
    maps[2] = 0.5
    maps[3] = gaussian((20, 20), np.eye(2))
    found = covariance_cells(maps, 2.0)
    assert np.isfinite(found).all()
    assert found[3] == pytest.approx(SMALLEST_SD**2 * np.eye(2), abs=1e-6)
    assert np.linalg.eigvalsh(found).min() >= SMALLEST_SD**2 - 1e-9


def test_the_covariance_in_the_image_scales_with_the_crop() -> None:
    to_image = compose(cell_to_crop("udp"), crop_to_image([[10, 20, 300, 400]], "udp"))
    maps = gaussian((20, 30), 8 * np.eye(2))[None, None]
    pixels_per_cell = to_image[0, 0, 0]
    assert covariance_image(maps, 2.0, to_image)[0, 0, 0, 0] == pytest.approx(4 * pixels_per_cell**2, rel=0.02)
