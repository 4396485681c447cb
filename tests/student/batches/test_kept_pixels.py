"""Kept crops are what was decoded, within their budget, whichever thread was first."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.images import Image
from student.batches import kept_pixels
from student.batches.kept_pixels import SHRINKS, KeptPixels

SIZES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=12)


def expected_crop(row: int, shrink: int, shape: tuple[int, ...]) -> Image:
    """Return a crop that tells which one it is."""
    return np.random.default_rng([row, shrink]).integers(0, 256, shape, np.uint8)


def fill(row: int, shrink: int, out: Image) -> None:
    out[:] = expected_crop(row, shrink, out.shape)


@settings(max_examples=60, deadline=None)
@given(
    sizes=SIZES,
    budget=st.integers(0, 20_000),
    requests=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(SHRINKS)), max_size=40),
)
def test_crops_are_found_as_they_were_added_within_the_budget(
    sizes: list[tuple[int, int]], budget: int, requests: list[tuple[int, int]]
) -> None:
    kept = KeptPixels(np.array(sizes), budget)
    added: dict[tuple[int, int], int] = {}
    for number, shrink in requests:
        row = number % len(sizes)
        if (row, shrink) in added:
            continue
        size = 3 * (-(-sizes[row][0] // shrink)) * (-(-sizes[row][1] // shrink))
        assert kept.find(row, shrink) is None
        crop = kept.add(row, shrink, lambda out, row=row, shrink=shrink: fill(row, shrink, out))  # type: ignore[misc]
        assert (crop is not None) == (sum(added.values()) + size <= budget)
        if crop is not None:
            added[row, shrink] = size
    assert kept.kept_bytes == sum(added.values()) <= budget
    for (row, shrink), size in added.items():
        crop = kept.find(row, shrink)
        assert crop is not None
        assert crop.nbytes == size
        assert np.array_equal(crop, expected_crop(row, shrink, crop.shape))


def test_threads_that_add_the_same_crops_count_them_once() -> None:
    sizes = np.full((20, 2), 30)
    kept = KeptPixels(sizes, 2**20)

    def use(seed: int) -> None:
        for row in np.random.default_rng(seed).permutation(20).tolist():
            crop = kept.find(row, 2)
            if crop is None:
                crop = kept.add(row, 2, lambda out, row=row: fill(row, 2, out))  # type: ignore[misc]
            assert crop is not None
            assert np.array_equal(crop, expected_crop(row, 2, crop.shape))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(8)))
    assert kept.kept_bytes == 20 * 3 * 15 * 15


def test_no_more_is_kept_when_memory_runs_short(monkeypatch: pytest.MonkeyPatch) -> None:
    available = [10 * 2**30]
    monkeypatch.setattr(kept_pixels, "available_bytes", lambda: available[0])
    monkeypatch.setattr(kept_pixels, "LOOK_BYTES", 5000)
    kept = KeptPixels(np.full((9, 2), 30), 2**20, reserve=2**30)
    rows = iter(range(9))

    def add() -> bool:
        row = next(rows)
        return kept.add(row, 1, lambda out: fill(row, 1, out)) is not None

    assert [add() for _ in range(3)] == [True] * 3
    available[0] = 2**30
    assert not all(add() for _ in range(3))
    available[0] = 10 * 2**30
    # a crop that was decoded for every view once is so from then on
    assert not add()
    assert kept.find(0, 1) is not None
