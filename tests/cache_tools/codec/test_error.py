"""The error of a codec, and the rows and the peaks that it is measured on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.codec.error import error_of_row, peak_xy, rows_to_measure, summarize_errors
from cache_tools.codec.profiles import PROFILES, SUPERSEDED, get_codec
from tests.samples.small_store import peaks, persons


def test_measured_error_ranks_the_profiles_and_sees_a_moved_peak() -> None:
    maps = peaks(persons(8))
    rmse = {}
    for name in (*PROFILES, *SUPERSEDED):
        decoded = get_codec(name).decode(get_codec(name).encode(maps))
        errors = [error_of_row(*row) for row in zip(maps, decoded, strict=True)]
        rmse[name] = summarize_errors(errors)["rmse_at_peaks"]
    assert rmse["float16"] < rmse["exact8"] < rmse["compact"] < rmse["compact80"] < rmse["compact6"] < 0.01
    moved = error_of_row(maps[0], np.roll(maps[0], 1, axis=-1))
    assert np.median(moved["shift"]) == pytest.approx(1, abs=0.05)


def clamped_error(maps: np.ndarray, decoded: np.ndarray) -> float:
    """Return the RMSE at peaks as version 0.1 measured it, against clamped maps."""
    exact = np.clip(maps, 0, 1)
    return float(np.sqrt(((decoded - exact)[exact > 0.05] ** 2).mean()))


def rmse_of(maps: np.ndarray) -> tuple[float, float]:
    """Return the RMSE at peaks of maps stored by `compact`, and as version 0.1 measured it."""
    codec = get_codec("compact")
    decoded = codec.decode(codec.encode(maps))
    errors = [error_of_row(*row) for row in zip(maps, decoded, strict=True)]
    return summarize_errors(errors)["rmse_at_peaks"], clamped_error(maps, decoded)


def test_the_error_of_noise_and_overshoots_is_as_it_was() -> None:
    maps = peaks(persons(4))
    noise = np.random.default_rng(0).normal(0, 0.05, maps.shape).astype(np.float32)
    for teacher in (maps, 1.19 * maps, 1.45 * maps - 0.2, maps + noise):
        found, before = rmse_of(teacher)
        assert found == pytest.approx(before, rel=1e-5)
    # to the last bit: an exact map within the limits is what it was
    loud = np.float32(1.5) * maps
    assert error_of_row(loud[0], np.clip(loud[0], 0, 1)) == error_of_row(np.clip(loud[0], 0, 1), np.clip(loud[0], 0, 1))


@pytest.mark.parametrize("change", ["bytes", "logits", "large"])
def test_values_of_another_range_are_an_error_of_the_codec(change: str) -> None:
    maps = peaks(persons(4))
    safe = np.clip(maps, 1e-4, 1 - 1e-4)
    teacher = {"bytes": 255 * maps, "logits": np.log(safe / (1 - safe)), "large": 3 * maps}[change]
    found, before = rmse_of(teacher.astype(np.float32))
    assert found > 0.3
    assert found > 3 * before


@given(st.floats(8, 55), st.floats(8, 39))
@settings(max_examples=50)
def test_peak_positions_are_sub_pixel(y: float, x: float) -> None:
    heatmap = np.exp(-((np.arange(64)[:, None] - y) ** 2 + (np.arange(48) - x) ** 2) / 8).astype(np.float32)
    assert peak_xy(heatmap[None])[0] == pytest.approx([x, y], abs=0.02)


@given(st.integers(1, 200_000))
def test_measured_rows_are_256_or_all(rows: int) -> None:
    chosen = rows_to_measure(rows)
    assert len(chosen) == min(rows, 256)
    assert chosen[0] == 0
    assert chosen[-1] == rows - 1
