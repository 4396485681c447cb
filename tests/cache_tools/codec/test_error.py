"""The error of a codec, and the rows and the peaks that it is measured on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.codec.error import error_of_row, peak_xy, rows_to_measure, summarize_errors
from cache_tools.codec.profiles import PROFILES, get_codec
from tests.samples.small_store import peaks, persons


def test_measured_error_ranks_the_profiles_and_sees_a_moved_peak() -> None:
    maps = peaks(persons(8))
    rmse = {}
    for name in PROFILES:
        decoded = get_codec(name).decode(get_codec(name).encode(maps))
        errors = [error_of_row(*row) for row in zip(maps, decoded, strict=True)]
        rmse[name] = summarize_errors(errors)["rmse_at_peaks"]
    assert rmse["float16"] < rmse["exact8"] < rmse["compact"] < rmse["compact6"] < 0.01
    moved = error_of_row(maps[0], np.roll(maps[0], 1, axis=-1))
    assert np.median(moved["shift"]) == pytest.approx(1, abs=0.05)


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
