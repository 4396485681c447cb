"""The oracle: heatmaps by the pixels of a crop."""

import time

import numpy as np
import pytest

from pipeline.teachers.load import load_network


def test_the_oracle_draws_by_pixels_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    crops = np.random.default_rng(3).integers(0, 256, (3, 256, 192, 3)).astype(np.uint8)
    crops[2] = crops[0]
    teacher = load_network("oracle")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "teach a student nothing" in caplog.text
    maps = teacher(crops)
    np.testing.assert_array_equal(maps[0], maps[2])
    assert np.abs(maps[0] - maps[1]).max() > 0.5
    peaks = maps.max((2, 3))
    assert ((peaks > 0.13) & (peaks < 0.91)).all()
    start = time.perf_counter()
    np.testing.assert_array_equal(load_network("oracle?seconds_per_crop=0.05")(crops), maps)
    assert time.perf_counter() - start > 0.15


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("seconds=1", "unknown seconds: expected seconds_per_crop"),
        ("seconds_per_crop=-1", "'-1': expected a number of 0 or more"),
        ("seconds_per_crop=nan", "'nan': expected a number"),
        ("seconds_per_crop=", "'': expected a number"),
    ],
)
def test_options_are_checked(option: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_network(f"oracle?{option}")
