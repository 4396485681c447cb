"""Random draws are uniform, uncorrelated, and a function of seed, epoch and row."""

import numpy as np

from student.batches.random_draws import normal_draws, uniform_draws


def test_uniform_draws_are_uniform_and_uncorrelated() -> None:
    rows = np.arange(50_000)
    numbers = uniform_draws(7, 0, rows, 3)
    assert numbers.min() > 0
    assert numbers.max() < 1
    next_row, next_epoch = np.roll(numbers[:, :1], 1, axis=0), uniform_draws(7, 1, rows, 1)
    columns = np.concatenate([numbers, next_row, next_epoch], axis=1)
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 0.02
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    # chi-square of 99 degrees of freedom: p < .001 above 148
    assert ((counts - 1500) ** 2 / 1500).sum() < 150


def test_draws_depend_on_seed_epoch_and_row_only() -> None:
    rows = np.array([3, 10, 4])
    numbers = uniform_draws(1, 2, rows, 4)
    np.testing.assert_array_equal(uniform_draws(1, np.array([2, 2, 2]), rows, 4), numbers)
    np.testing.assert_array_equal(uniform_draws(1, 2, rows[::-1], 4), numbers[::-1])
    np.testing.assert_array_equal(uniform_draws(1, 2, rows, 9)[:, :4], numbers)
    for other in (uniform_draws(0, 2, rows, 4), uniform_draws(1, 3, rows, 4), uniform_draws(-1, 2, rows, 4)):
        assert (other != numbers).all()


def test_normal_draws_have_mean_0_and_deviation_1() -> None:
    numbers = uniform_draws(0, 0, np.arange(50_000), 2)
    normal = normal_draws(numbers[:, 0], numbers[:, 1])
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert abs((np.abs(normal) < 1).mean() - 0.6827) < 0.01
