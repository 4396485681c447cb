"""The order of rows: every row once an epoch over all processes, few shards at a time, repeatable."""

from dataclasses import replace

import numpy as np
import pytest

from student.batches.sampler import Sampler


@pytest.mark.parametrize(("rows", "batch", "world"), [(40, 8, 1), (37, 5, 2), (10, 7, 3), (3, 8, 1)])
@pytest.mark.parametrize("shard_rows", [None, 4])
def test_every_row_comes_once_an_epoch_over_all_processes(
    rows: int, batch: int, world: int, shard_rows: int | None
) -> None:
    ranks = [
        Sampler(rows=rows, batch_size=batch, seed=1, shard_rows=shard_rows, window=9, rank=rank, world=world)
        for rank in range(world)
    ]
    epochs = 4
    steps = -(-rows * epochs // (batch * world))
    stream = np.concatenate([rank.batch(step)[0] for step in range(steps) for rank in ranks])
    epoch_of = np.concatenate([rank.batch(step)[1] for step in range(steps) for rank in ranks])
    for epoch in range(epochs):
        assert sorted(stream[epoch * rows : (epoch + 1) * rows]) == list(range(rows))
        assert set(epoch_of[epoch * rows : (epoch + 1) * rows]) == {epoch}
    joint = np.concatenate([ranks[0].joint_batch(step) for step in range(steps)])
    assert np.array_equal(joint, stream)


def test_a_window_needs_few_shards_and_orders_differ_by_epoch_and_seed() -> None:
    sampler = Sampler(rows=1000, batch_size=10, seed=0, shard_rows=100, window=200)
    for start in range(0, 1000, 200):
        assert len(set(sampler.epoch(0)[start : start + 200] // 100)) <= 3
    assert not np.array_equal(sampler.epoch(0), sampler.epoch(1))
    assert not np.array_equal(sampler.epoch(0), replace(sampler, seed=1).epoch(0))


def test_steps_are_whole_and_at_least_one() -> None:
    sampler = Sampler(rows=1000, batch_size=30)
    assert sampler.steps_per_epoch == pytest.approx(33.33, abs=0.01)
    assert [sampler.steps(epochs) for epochs in (0.001, 1, 2.5, 3)] == [1, 34, 84, 100]
    assert replace(sampler, world=2).steps(3) == 50


def test_no_rows_and_wrong_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="the store has no rows"):
        Sampler(rows=0, batch_size=8)
    with pytest.raises(ValueError, match="rank 2 of 2 processes: expected 0 to 1"):
        Sampler(rows=10, batch_size=8, rank=2, world=2)
