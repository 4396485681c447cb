"""Batches show what they should, in the right order, whatever threads, resumes and kinds of store do."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.coco import MIRROR
from cache_tools.geometry import apply, cell_to_crop
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches.loader import Batch, TrainLoader
from student.batches.sampler import Sampler
from student.batches.stream import stream_of
from student.normalise import IMAGENET_MEAN, IMAGENET_STD
from student.settings import StudentSettings
from tests.samples.drawn_store import (
    CELLS,
    COLOURS,
    INPUT,
    STREAM,
    ColourTeacher,
    draw_photos,
    take_batches,
    write_store,
)

ROWS = 40


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    return write_store(tmp_path_factory.mktemp("stores") / "a.zarr", photos, draw_photos(photos, ROWS), views=3)


def colours(batch: Batch) -> NDArray[np.float64]:
    """Images as they were before normalisation, (B, H, W, 3)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return ((batch.images * std + mean) * 255).permute(0, 2, 3, 1).double().numpy()


def same(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(getattr(one, n), getattr(other, n)) for n in ("images", "targets", "target_weight", "teacher_maps")
    )


# --- the sampler


@pytest.mark.parametrize(("rows", "batch", "world"), [(40, 8, 1), (37, 5, 2), (10, 7, 3), (3, 8, 1)])
@pytest.mark.parametrize("shard_rows", [None, 4])
def test_every_row_comes_once_an_epoch_over_all_processes(rows, batch, world, shard_rows) -> None:
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
    assert sampler.steps(2.5) == 250


# --- what a batch shows


@pytest.mark.parametrize("replay", ["peaks", "warp", "views"])
@pytest.mark.parametrize("on_device", [False, True])
def test_pixels_targets_and_teacher_show_the_same_joint_at_the_same_place(store, replay, on_device) -> None:
    settings = replace(STREAM, replay=replay, augment=recipe("vitpose").model_copy(update={"colour": 0.0}))
    cell_to_view = cell_to_crop("udp", INPUT, CELLS)
    looked_at = agreed = flipped = 0
    for batch in take_batches(store, settings, cut_on_device=on_device):
        pixels, plan = colours(batch), batch.plan
        flipped += int(plan.flipped.sum())
        xy_view = apply(cell_to_view, plan.xy_cells)  # (B, 17, 2)
        for person in range(len(pixels)):
            colour_of = COLOURS[MIRROR] if plan.flipped[person] else COLOURS
            for joint in range(17):
                x, y = xy_view[person, joint]
                if not (4 < x < INPUT[1] - 4 and 4 < y < INPUT[0] - 4):
                    continue
                seen = pixels[person, round(y), round(x)]
                assert np.abs(seen - colour_of[joint]).max() < 60, (person, joint)
                assert batch.target_weight[person, joint] == 1
                peaks = [
                    np.unravel_index(m[person, joint].argmax(), CELLS) for m in (batch.targets, batch.teacher_maps)
                ]
                looked_at += 1
                agreed += np.abs(np.subtract(*peaks)).max() <= 1
                assert np.abs(np.array(peaks[0][::-1]) - plan.xy_cells[person, joint]).max() <= 0.51
    assert looked_at > 200
    assert 0 < flipped < 40
    assert agreed / looked_at > 0.98  # a joint that the plain crop does not show has no cached peak


def test_joints_out_of_view_or_unlabelled_weigh_nothing(store) -> None:
    for batch in take_batches(store):
        xy = torch.from_numpy(batch.plan.xy_cells)
        inside = ((xy >= -0.5) & (xy < torch.tensor([CELLS[1] - 0.5, CELLS[0] - 0.5]))).all(-1)
        assert torch.equal(batch.target_weight, inside.float())


def test_several_caches_are_averaged_and_must_be_of_the_same_persons(store, photos, tmp_path) -> None:
    half = write_store(tmp_path / "half.zarr", photos, store.instances, scale=0.5, crops=False)
    warp = replace(STREAM, replay="warp")
    with TrainLoader([store, half], warp) as both, TrainLoader([store], warp) as one:
        for mean, full in zip(both.batches(0, 3), one.batches(0, 3), strict=True):
            assert torch.allclose(mean.teacher_maps, 0.75 * full.teacher_maps, atol=0.008)  # two dead zones of .01
            assert torch.equal(mean.images, full.images)
    other = write_store(tmp_path / "other.zarr", photos, store.instances.take(slice(0, 20)))
    with pytest.raises(CacheMismatch, match=r"rows: 40 and 20"):
        TrainLoader([store, other], STREAM)


# --- the same batches, however they are made


def test_batches_depend_on_neither_threads_nor_where_one_begins(store) -> None:
    plain = take_batches(store)
    for other in (
        take_batches(store, replace(STREAM, workers=5)),
        take_batches(store, stop=3) + take_batches(store, start=3),
    ):
        assert all(same(a, b) for a, b in zip(plain, other, strict=True))


@pytest.mark.parametrize(("size", "colour"), [(INPUT, 0.0), (INPUT, 0.4), ((64, 48), 0.0)])
def test_views_cut_by_threads_and_on_the_device_differ_by_rounding_alone(store, size, colour) -> None:
    """At 64x48 stored crops are twice as dense as the view."""
    augment = recipe("vitpose").model_copy(update={"colour": colour})
    settings = replace(STREAM, input_size=size, heatmap_size=(size[0] // 4, size[1] // 4), augment=augment)
    for threads, device in zip(
        take_batches(store, settings), take_batches(store, settings, cut_on_device=True), strict=True
    ):
        difference = np.abs(colours(threads) - colours(device))
        assert np.quantile(difference, 0.999) < 1.0
        assert torch.equal(threads.teacher_maps, device.teacher_maps)


def test_photos_give_the_batches_that_stored_crops_give(store, photos, tmp_path) -> None:
    bare = write_store(tmp_path / "bare.zarr", photos, store.instances, crops=False)
    with pytest.raises(ValueError, match="holds no crops"):
        TrainLoader([bare], STREAM)
    for stored, read in zip(take_batches(store), take_batches(bare, photos=photos), strict=True):
        assert np.mean((colours(stored) - colours(read)) ** 2) < 255**2 / 10 ** (30 / 10)  # PSNR above 30 dB
        assert torch.equal(stored.teacher_maps, read.teacher_maps)


@pytest.mark.parametrize("memory_gib", [4.0, 0.0], ids=["in memory", "on disk"])
def test_rows_come_in_the_same_order_with_a_teacher_and_without(store, memory_gib) -> None:
    orders = [
        np.concatenate(
            [batch.plan.rows for batch in take_batches(store, replace(STREAM, memory_gib=memory_gib, **way), **more)]
        )
        for way, more in (({}, {}), ({"replay": None}, {}), ({"live": True}, {"teacher": ColourTeacher()}))
    ]
    assert all(np.array_equal(orders[0], order) for order in orders)
    assert np.array_equal(
        orders[0], Sampler(rows=ROWS, batch_size=8, seed=3, shard_rows=None if memory_gib else 16).epoch(0)
    )


def test_a_store_too_large_for_memory_gives_the_same_maps(store) -> None:
    by_row = {}
    for batch in take_batches(store, replace(STREAM, augment=recipe("none"))):
        by_row |= dict(zip(batch.plan.rows.tolist(), batch.teacher_maps, strict=True))
    assert len(by_row) == ROWS
    order = []
    for batch in take_batches(store, replace(STREAM, augment=recipe("none"), memory_gib=0.0)):
        order += batch.plan.rows.tolist()
        assert all(
            torch.equal(by_row[row], maps)
            for row, maps in zip(batch.plan.rows.tolist(), batch.teacher_maps, strict=True)
        )
    assert sorted(order) == list(range(ROWS))


@pytest.mark.parametrize("way", ["threads", "device", "photos"])
def test_far_persons_are_decoded_small(store, photos, way) -> None:
    """At a quarter of the input size photos are decoded at half their size; what is seen stays in place."""
    small = replace(STREAM, input_size=(64, 32), heatmap_size=(16, 8), augment=recipe("none"))
    more = {"threads": {}, "device": {"cut_on_device": True}, "photos": {"photos": photos}}[way]
    if way == "photos":
        store = write_store(photos / "bare.zarr", photos, store.instances, crops=False)
    with TrainLoader([store], small, **more) as loader:
        (batch, *_) = loader.batches(0, 1)
        xy = apply(cell_to_crop("udp", (64, 32), (16, 8)), batch.plan.xy_cells)
    pixels = colours(batch)
    for person in range(len(xy)):
        for joint, (x, y) in enumerate(xy[person]):
            if 2 < x < 29 and 2 < y < 61:
                assert np.abs(pixels[person, round(y), round(x)] - COLOURS[joint]).max() < 80


# --- when things go wrong


def test_an_error_in_a_thread_reaches_the_loop_and_close_returns(photos, tmp_path) -> None:
    store = write_store(tmp_path / "hurt.zarr", photos, draw_photos(photos, ROWS))
    packed = max((tmp_path / "hurt.zarr" / "crops" / "packed").rglob("*"), key=lambda p: p.stat().st_size * p.is_file())
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 255
    packed.write_bytes(data)
    began = time.monotonic()
    loader = TrainLoader([store], STREAM)
    with pytest.raises(ValueError, match=r"crop of row \d+ is damaged"):
        list(loader.batches(0, 100))
    loader.close()
    assert time.monotonic() - began < 20


def test_leaving_early_and_closing_twice_is_fine_and_the_ring_is_whole_again(store) -> None:
    loader = TrainLoader([store], STREAM)
    for batch in loader.batches(0, 1000):
        first = batch
        break
    assert same(first, next(iter(loader.batches(0, 1000))))
    loader.close()
    loader.close()


@pytest.mark.timeout(20)
def test_batches_end_after_the_loader_was_closed(store) -> None:
    """What was waiting for a thread then is cancelled, and nobody waits for it."""
    loader = TrainLoader([store], STREAM)
    batches = loader.batches(0, 1000)
    next(batches)
    loader.close()
    batches.close()


def test_students_of_one_stream_must_want_the_same_batches() -> None:
    one = StudentSettings.model_validate({"name": "one"})
    other = StudentSettings.model_validate({"name": "other", "train": {"batch_size": 32}})
    with pytest.raises(ValueError, match=r"one and other .* train.batch_size is 64 and 32"):
        stream_of([one, other])
    live = StudentSettings.model_validate({"name": "live", "distill": {"mode": "live"}})
    with pytest.raises(ValueError, match="cached peaks and live peaks"):
        stream_of([one, live])
    control = StudentSettings.model_validate({"name": "control", "distill": {"mode": "none"}, "train": {"lr": 1.0}})
    assert stream_of([control, one]).replay == "peaks"


def test_what_cannot_be_is_said_before_training(store, tmp_path) -> None:
    with pytest.raises(ValueError, match="--teacher"):
        TrainLoader([store], replace(STREAM, live=True))
    with pytest.raises(ValueError, match="expected one store"):
        TrainLoader([store, store], replace(STREAM, replay="views"))
    with pytest.raises(ValueError, match="no rows"):
        Sampler(rows=0, batch_size=8)


@pytest.mark.gpu
def test_a_gpu_gets_the_batches_that_a_cpu_gets(store) -> None:
    for cpu, gpu in zip(take_batches(store), take_batches(store, device="cuda:0"), strict=True):
        assert (cpu.images - gpu.images.cpu()).abs().max() < 0.03
        assert torch.allclose(cpu.targets, gpu.targets.cpu(), atol=1e-5)
        assert torch.allclose(cpu.teacher_maps, gpu.teacher_maps.cpu(), atol=1e-4)


@pytest.mark.gpu
def test_slow_copies_and_slow_steps_never_meet_in_the_ring(store) -> None:
    """No slot is filled while it is copied, and no batch given back while a step reads it."""
    found = []
    with TrainLoader([store], STREAM, device="cuda:0", cut_on_device=False) as loader:
        for batch in loader.batches(0, 60):
            torch.cuda._sleep(3_000_000)  # cycles: the step, which reads the batch a few milliseconds later
            found.append([t.clone() for t in (batch.images, batch.targets, batch.target_weight, batch.teacher_maps)])
            with torch.cuda.stream(loader._copy_stream):
                torch.cuda._sleep(5_000_000)  # before the next copy begins
    for cpu, gpu in zip(take_batches(store, stop=60), found, strict=True):
        for one, other in zip((cpu.images, cpu.targets, cpu.target_weight, cpu.teacher_maps), gpu, strict=True):
            assert torch.allclose(one, other.cpu(), atol=1e-3)
