"""Batches show what they should, in the right order, for any number of threads, any resume and any kind of store."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.geometry import apply, cell_to_crop
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches import loader as loader_module
from student.batches.loader import Batch, TrainLoader
from student.batches.sampler import Sampler
from student.batches.thread_count import ThreadCount
from student.normalise import IMAGENET_MEAN, IMAGENET_STD
from tests.samples.coco_joints import MIRROR
from tests.samples.drawn_store import (
    CELLS,
    COLOURS,
    INPUT,
    ROWS,
    STREAM,
    ColourTeacher,
    draw_photos,
    equal,
    take_batches,
    teacher_maps,
    tensors,
    write_store,
)
from tests.samples.opencv_levels import OPENCV_LEVELS


def colours(batch: Batch) -> NDArray[np.float64]:
    """Return the images as they were before normalisation, (B, H, W, 3)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    pixels: NDArray[np.float64] = ((batch.images * std + mean) * 255).permute(0, 2, 3, 1).double().numpy()
    return pixels


# --- what a batch shows


@pytest.mark.parametrize("replay", ["peaks", "warp", "views"])
@pytest.mark.parametrize("on_device", [False, True])
def test_pixels_targets_and_teacher_show_the_same_joint_at_the_same_place(
    store: HeatmapStore, replay: Literal["peaks", "warp", "views"], on_device: bool
) -> None:
    settings = replace(STREAM, replay=replay, augment=recipe("vitpose").model_copy(update={"colour": 0.0}))
    cell_to_view = cell_to_crop("udp", INPUT, CELLS)
    compared = agreed = flipped = 0
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
                assert np.abs(pixels[person, round(y), round(x)] - colour_of[joint]).max() < 60, (person, joint)
                assert batch.target_weight[person, joint] == 1
                target_peak = largest_cell(batch.targets[person, joint])
                teacher_peak = largest_cell(teacher_maps(batch)[person, joint])
                compared += 1
                agreed += np.abs(target_peak - teacher_peak).max() <= 1
                assert np.abs(target_peak - plan.xy_cells[person, joint]).max() <= 0.51
    assert compared > 200
    assert 0 < flipped < 40
    # a joint that the plain crop does not show has no cached peak
    assert agreed / compared > 0.98


def largest_cell(heatmap: torch.Tensor) -> NDArray[np.int64]:
    """Return (x, y) of the largest cell of a map (h, w)."""
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return np.array([column, row])


def test_stored_views_are_resampled_for_a_student_of_another_size(store: HeatmapStore) -> None:
    small = replace(STREAM, input_size=(64, 48), heatmap_size=(16, 12), sigma=0.75, replay="views")
    errors = []
    for batch in take_batches(store, small):
        xy = torch.from_numpy(batch.plan.xy_cells)
        inside = ((xy > 2) & (xy < torch.tensor([9.0, 13.0]))).all(-1)
        errors.append((teacher_maps(batch) - batch.targets)[inside].abs().amax((-1, -2)))
    assert len(torch.cat(errors)) > 100
    assert torch.cat(errors).median() < 0.1


def test_joints_out_of_view_weigh_nothing(store: HeatmapStore) -> None:
    for batch in take_batches(store):
        xy = torch.from_numpy(batch.plan.xy_cells)
        inside = ((xy >= -0.5) & (xy < torch.tensor([CELLS[1] - 0.5, CELLS[0] - 0.5]))).all(-1)
        assert torch.equal(batch.target_weight, inside.float())
        assert not inside.all()


def test_unlabelled_joints_weigh_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    table = draw_photos(photos, 8)
    table.visibility[:, 5:] = 0
    plain = replace(STREAM, augment=recipe("none"))
    (batch,) = take_batches(write_store(tmp_path / "a.zarr", photos, table), plain, stop=1)
    assert batch.target_weight[:, :5].all()
    assert not batch.target_weight[:, 5:].any()


def test_several_caches_are_averaged_and_must_be_of_the_same_persons(
    store: HeatmapStore, photos: Path, tmp_path: Path
) -> None:
    half = write_store(tmp_path / "half.zarr", photos, store.instances, scale=0.5, crops=False)
    warp = replace(STREAM, replay="warp")
    with TrainLoader([store, half], warp) as both, TrainLoader([store], warp) as one:
        for mean, full in zip(both.batches(0, 3), one.batches(0, 3), strict=True):
            # tolerance: two dead zones of .01
            assert torch.allclose(teacher_maps(mean), 0.75 * teacher_maps(full), atol=0.008)
            assert torch.equal(mean.images, full.images)
    other = write_store(tmp_path / "other.zarr", photos, store.instances.take(slice(0, 20)))
    with pytest.raises(CacheMismatch, match=r"rows: 40 and 20"):
        TrainLoader([store, other], STREAM)


# --- the same batches, however they are made


def test_batches_depend_neither_on_threads_nor_on_the_first_step(store: HeatmapStore) -> None:
    plain = take_batches(store)
    many_threads = take_batches(store, replace(STREAM, workers=5))
    in_two_parts = take_batches(store, stop=3) + take_batches(store, start=3)
    for other in (many_threads, in_two_parts):
        assert all(equal(a, b) for a, b in zip(plain, other, strict=True))


@pytest.mark.parametrize(("size", "colour"), [(INPUT, 0.0), (INPUT, 0.4), ((64, 48), 0.0)])
def test_views_cut_by_threads_and_on_the_device_differ_only_by_rounding(
    store: HeatmapStore, size: tuple[int, int], colour: float
) -> None:
    """At 64x48 stored crops are twice as dense as the view."""
    augment = recipe("vitpose").model_copy(update={"colour": colour})
    settings = replace(STREAM, input_size=size, heatmap_size=(size[0] // 4, size[1] // 4), augment=augment)
    by_threads, on_device = take_batches(store, settings), take_batches(store, settings, cut_on_device=True)
    for one, other in zip(by_threads, on_device, strict=True):
        difference = np.abs(colours(one) - colours(other))
        assert np.quantile(difference, 0.999) <= OPENCV_LEVELS
        assert torch.equal(teacher_maps(one), teacher_maps(other))


def test_photos_give_the_batches_that_stored_crops_give(store: HeatmapStore, photos: Path, tmp_path: Path) -> None:
    bare = write_store(tmp_path / "bare.zarr", photos, store.instances, crops=False)
    for stored, read in zip(take_batches(store), take_batches(bare, photos=photos), strict=True):
        # PSNR above 30 dB
        assert np.mean((colours(stored) - colours(read)) ** 2) < 255**2 / 10 ** (30 / 10)
        assert torch.equal(teacher_maps(stored), teacher_maps(read))


@pytest.mark.parametrize("memory_gib", [4.0, 0.0], ids=["in memory", "on disk"])
def test_rows_come_in_the_same_order_with_a_teacher_and_without(store: HeatmapStore, memory_gib: float) -> None:
    settings = replace(STREAM, memory_gib=memory_gib)
    cached = take_batches(store, settings)
    without = take_batches(store, replace(settings, replay=None))
    live = take_batches(store, replace(settings, live=True), teacher=ColourTeacher())
    sampler = Sampler(rows=ROWS, batch_size=8, seed=3, shard_rows=None if memory_gib else 16)
    for batches in (cached, without, live):
        assert np.array_equal(np.concatenate([batch.plan.rows for batch in batches]), sampler.epoch(0))


def by_row(batches: list[Batch]) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield each row and its teacher maps."""
    for batch in batches:
        yield from zip(batch.plan.rows.tolist(), teacher_maps(batch), strict=True)


@pytest.mark.parametrize("replay", ["peaks", "views"])
def test_a_store_too_large_for_memory_gives_the_same_maps(
    store: HeatmapStore, replay: Literal["peaks", "views"]
) -> None:
    plain = replace(STREAM, augment=recipe("none"), replay=replay)
    in_memory = dict(by_row(take_batches(store, plain)))
    on_disk = dict(by_row(take_batches(store, replace(plain, memory_gib=0.0))))
    assert sorted(in_memory) == sorted(on_disk) == list(range(ROWS))
    assert all(torch.equal(in_memory[row], maps) for row, maps in on_disk.items())


def test_slots_that_are_added_on_the_way_change_no_batch(store: HeatmapStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = take_batches(store, stop=40)
    with TrainLoader([store], STREAM) as loader:
        loader.thread_count = ThreadCount(2, 5)
        # as a device that waits for every batch
        monkeypatch.setattr(loader_module, "wait_for_batch", lambda future, device: future.result() is None)
        found = list(loader.batches(0, 40))
        assert (loader.thread_count.threads, len(loader._ring)) == (5, 7)
    assert all(equal(a, b) for a, b in zip(expected, found, strict=True))


# --- when something fails


def test_an_error_in_a_thread_reaches_the_loop_and_close_returns(photos: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "damaged.zarr", photos, draw_photos(photos, ROWS))
    files = [path for path in (tmp_path / "damaged.zarr" / "crops" / "packed").rglob("*") if path.is_file()]
    packed = max(files, key=lambda path: path.stat().st_size)
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 255
    packed.write_bytes(data)
    began = time.monotonic()
    loader = TrainLoader([store], STREAM)
    with pytest.raises(ValueError, match=r"crop of row \d+ is damaged"):
        list(loader.batches(0, 100))
    loader.close()
    assert time.monotonic() - began < 20


def test_the_ring_is_whole_again_after_leaving_early_and_close_may_be_called_twice(store: HeatmapStore) -> None:
    loader = TrainLoader([store], STREAM)
    batches = loader.batches(0, 1000)
    first = next(batches)
    batches.close()
    assert equal(first, next(iter(loader.batches(0, 1000))))
    loader.close()
    loader.close()


@pytest.mark.timeout(120)
def test_batches_end_after_the_loader_was_closed(store: HeatmapStore) -> None:
    """Closing cancels the batches that wait for a thread; nothing waits for them."""
    loader = TrainLoader([store], STREAM)
    batches = loader.batches(0, 1000)
    next(batches)
    loader.close()
    batches.close()


def test_settings_that_stores_and_teacher_cannot_serve_are_refused(store: HeatmapStore) -> None:
    with pytest.raises(ValueError, match="--teacher"):
        TrainLoader([store], replace(STREAM, live=True))
    with pytest.raises(ValueError, match="expected one store, found 2"):
        TrainLoader([store, store], replace(STREAM, replay="views"))


@pytest.mark.gpu
def test_a_gpu_gets_the_batches_that_a_cpu_gets(store: HeatmapStore) -> None:
    on_cpu, on_gpu = take_batches(store, cut_on_device=True), take_batches(store, device="cuda:0")
    for cpu, gpu in zip(on_cpu, on_gpu, strict=True):
        assert (cpu.images - gpu.images.cpu()).abs().max() < 0.03
        assert torch.allclose(cpu.targets, gpu.targets.cpu(), atol=1e-5)
        assert torch.allclose(teacher_maps(cpu), teacher_maps(gpu).cpu(), atol=1e-4)


@pytest.mark.gpu
def test_slow_copies_and_slow_steps_never_meet_in_the_ring(store: HeatmapStore) -> None:
    """No slot is filled while it is copied, and no batch's memory is reused while a step reads it."""
    found: list[list[torch.Tensor]] = []
    sleep: Any = torch.cuda._sleep
    with TrainLoader([store], STREAM, device="cuda:0", cut_on_device=False) as loader:
        for batch in loader.batches(0, 60):
            # cycles: the step reads the batch a few milliseconds later
            sleep(3_000_000)
            found.append([tensor.clone() for tensor in tensors(batch)])
            with torch.cuda.stream(loader._copy_stream):
                # before the next copy begins
                sleep(5_000_000)
    for cpu, gpu in zip(take_batches(store, stop=60), found, strict=True):
        for one, other in zip(tensors(cpu), gpu, strict=True):
            assert torch.allclose(one, other.cpu(), atol=1e-3)
