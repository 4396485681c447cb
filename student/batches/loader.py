"""Batches for training: sampler -> decoding threads -> pinned ring -> side stream -> device.

    with TrainLoader([store], stream_of([settings])) as loader:
        for batch in loader.batches(0, 1000):
            ...

Batch n is a function of the store, the settings and n only: threads, processes and resumes cannot change it.

Pixels are cut to the student's view where that is cheapest: by the threads (OpenCV, uint8) for training on a CPU and
for photos from a folder, on the device for stored crops and a GPU. Targets, teacher maps and normalisation are made on
the device.
"""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.geometry import Matrix
from cache_tools.skeletons import Skeleton
from cache_tools.store.writer import HeatmapStore
from student.batches.cached_maps import CachedMaps, check_same_joints, check_same_rows, fits_memory
from student.batches.labels import has_labels, shown_rows, usable_labels
from student.batches.live_maps import LiveMaps
from student.batches.pixel_source import PixelSource
from student.batches.plan import BatchPlan, plan_batch
from student.batches.sampler import Sampler
from student.batches.stream import StreamSettings
from student.batches.teacher_maps import TeacherMaps
from student.batches.warp import warp_image
from student.heatmaps.targets import render_targets, target_weight
from student.normalise import normalise
from student.pose_network import PoseNetwork

# batches finished or being copied to the device, in addition to the one that each thread fills
READY_BATCHES = 2


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B persons on the device."""

    #: (B, 3, H, W) float32, normalised
    images: Tensor
    #: (B, K, h, w) from the labels
    targets: Tensor
    #: (B, K) 1 where a joint is labelled and in view, else 0
    target_weight: Tensor
    #: (B, K, h, w) in the student's view; None where no student uses a teacher
    teacher_maps: Tensor | None
    #: (B, K) 1 where some teacher knows the joint that the view shows, else 0; None where all know all
    teacher_weight: Tensor | None
    #: (B,) 1 where a person has labels, else 0; None where all have
    labelled: Tensor | None
    #: rows and geometry, on the CPU
    plan: BatchPlan


@dataclass(kw_only=True)
class Slot:
    """One slot of the ring: the arrays of a batch that a thread fills, pinned where the device is a GPU."""

    arrays: dict[str, Tensor]
    #: set when the device has read the arrays
    copied: torch.cuda.Event | None = None
    plan: BatchPlan | None = None

    def write(self, name: str, values: NDArray[Any]) -> None:
        """Copy `values` into the slot's array of that name."""
        np.copyto(self.view(name), values, casting="same_kind")

    def view(self, name: str) -> NDArray[Any]:
        """Return the slot's array as a numpy array on the same memory."""
        return self.arrays[name].numpy()


class TrainLoader:
    """The stream of batches of one process. Close it, or use it in a `with` block.

    photos: folder of the photos, in place of stored crops. teacher: runs on every batch where `settings.live`. rank,
    world: which process of how many this is. skeleton: in place of the stores', with the same names: another mirror
    order or other halves. cut_on_device: where views are cut; None chooses the cheaper place.

    Raises CacheMismatch for stores of different persons, ValueError for settings that stores and teacher cannot serve.
    """

    def __init__(
        self,
        stores: Sequence[HeatmapStore],
        settings: StreamSettings,
        *,
        photos: str | Path | None = None,
        teacher: PoseNetwork | None = None,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world: int = 1,
        skeleton: Skeleton | None = None,
        cut_on_device: bool | None = None,
    ) -> None:
        check_same_rows(stores)
        self.settings, self.device = settings, torch.device(device)
        self.cuda = self.device.type == "cuda"
        if settings.live and teacher is None:
            raise ValueError("distill.mode is live, but there is no teacher to run: give one (--teacher)")
        if settings.replay == "views" and len(stores) > 1:
            raise ValueError(f"distill.replay is views: expected one store, found {len(stores)}, whose views differ")
        self.live = LiveMaps(teacher, settings, self.device) if teacher is not None and settings.live else None
        rows = min(stores[0].rows, settings.max_rows or stores[0].rows)
        self.instances = usable_labels(stores[0].instances, settings)
        drawn = shown_rows(self.instances, settings)
        #: whether batches have persons without labels
        self.unlabelled = drawn is None and not has_labels(self.instances)[:rows].all()
        self.skeleton = skeleton or stores[0].spec.skeleton
        check_same_joints(self.skeleton, stores, teacher if settings.live else None)
        cached = settings.replay is not None and self.live is None
        self.caches = [
            CachedMaps(store, settings, rows, self.device, mirror=self.skeleton.mirror) for store in stores if cached
        ]
        self.teacher_maps = TeacherMaps(self.caches, self.live, self.skeleton, self.device)
        with_crops = next((store for store in stores if store.spec.crops is not None), stores[0])
        self.pixels = PixelSource(with_crops, photos)
        requested = self.cuda if cut_on_device is None else cut_on_device
        self.cut_on_device = requested and self.pixels.stored and self.live is None
        # decided by the store even where its maps are not used: runs with and without a teacher see the same rows in
        # the same order
        in_memory = all(fits_memory(store, rows, settings.memory_gib) for store in stores)
        self.sampler = Sampler(
            rows=rows,
            drawn=drawn,
            batch_size=settings.batch_size,
            seed=settings.seed,
            shard_rows=None if in_memory else stores[0].spec.shard_rows,
            rank=rank,
            world=world,
        )
        # torch has no types for streams and events
        self._copy_stream = torch.cuda.Stream(self.device) if self.cuda else None  # type: ignore[no-untyped-call]
        if self._copy_stream is not None:
            # the current stream copied the caches to the device
            self._copy_stream.wait_stream(torch.cuda.current_stream(self.device))
        self._threads = ThreadPoolExecutor(settings.workers, "decode")
        self._ring = [self._new_slot() for _ in range(settings.workers + READY_BATCHES)]

    def __enter__(self) -> "TrainLoader":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads after the batch that each of them is filling."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def batches(self, start: int, stop: int) -> Generator[Batch, None, None]:
        """Yield the batches of steps `start` to `stop` - 1; an error in a thread is raised here, at its batch.

        Invariant of the ring: at any time a slot belongs to exactly one of
          - `free`: nothing reads or writes it;
          - a thread, from its submission until its future is done: nothing else writes it;
          - the copy to the device, which reads it until its event `copied`; the slot goes back to `free` at once, and
            the thread that gets it next waits for that event before its first write.
        On a CPU a batch holds no memory of its slot, and the slot is free when the batch is made.
        """
        free, waiting = deque(self._ring), deque[tuple[Future[None], Slot]]()
        steps = iter(range(start, stop))

        def submit() -> None:
            while free and (step := next(steps, None)) is not None:
                slot = free.popleft()
                waiting.append((self._threads.submit(self._fill, slot, step), slot))

        try:
            submit()
            while waiting:
                future, slot = waiting.popleft()
                try:
                    future.result()
                    batch = self._to_device(slot)
                finally:
                    free.append(slot)
                # before the yield: the threads work during the training step
                submit()
                yield batch
        finally:
            # the ring must be whole again for the next call; a cancelled future never ends, and needs no wait
            wait([future for future, _ in waiting if not future.cancel()])

    def probe_teacher(self) -> None:
        """Run a live teacher on one batch; ValueError where its maps are not those that it states."""
        if self.live is not None:
            with closing(self.batches(0, 1)) as batches:
                next(batches)

    # --- in the threads

    def _fill(self, slot: Slot, step: int) -> None:
        """Write everything of a batch that is made on the CPU into its slot."""
        if slot.copied is not None:
            slot.copied.synchronize()
        rows, epochs = self.sampler.batch(step)
        stored = None
        if self.settings.replay == "views" and self.caches:
            cell_to_image, flipped, codes = self.caches[0].stored_views(rows, epochs)
            stored = cell_to_image, flipped
            slot.write("codes_0", codes)
        plan = slot.plan = plan_batch(self.settings, self.instances, rows, epochs, self.skeleton, stored)
        for i, cache in enumerate(self.caches):
            slot.write(f"student_to_teacher_{i}", cache.matrices(plan).astype(np.float32))
            if cache.needs_transfer and stored is None:
                slot.write(f"codes_{i}", cache.codes(rows))
            if cache.needs_peaks:
                slot.write(f"peaks_{i}", cache.peaks(rows))
        for name in ("rows", "flipped", "gain", "bias", "visibility"):
            slot.write(name, getattr(plan, name))
        slot.write("xy_cells", plan.xy_cells.astype(np.float32))
        if self.cut_on_device:
            view_to_canvas = self.pixels.copy_canvases(rows, plan.view_to_image, slot.view("pixels"))
            slot.write("view_to_canvas", view_to_canvas.astype(np.float32))
            return
        views: list[tuple[Matrix, NDArray[np.uint8]]] = [(plan.view_to_image, slot.view("pixels"))]
        if self.live is not None:
            views.append((self.live.crop_to_image(plan), slot.view("teacher_pixels")))
        self.pixels.cut(rows, views)

    # --- in the training loop

    def _to_device(self, slot: Slot) -> Batch:
        assert slot.plan is not None
        if self._copy_stream is None:
            return self._batch(slot.arrays, slot.arrays, slot.plan)
        with torch.cuda.stream(self._copy_stream):
            arrays = {
                name: array.to(self.device, non_blocking=True)
                for name, array in slot.arrays.items()
                # a live teacher that is no torch network takes its pixels from the CPU, and has read them then
                if name != "teacher_pixels" or (self.live is not None and self.live.on_device)
            }
            slot.copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            slot.copied.record()
            batch = self._batch(arrays, slot.arrays, slot.plan)
        step = torch.cuda.current_stream(self.device)
        step.wait_stream(self._copy_stream)
        for tensor in vars(batch).values():
            if isinstance(tensor, Tensor):
                # allocated on the side stream: its memory must not be reused before the step has read it
                tensor.record_stream(step)
        return batch

    def _batch(self, arrays: dict[str, Tensor], host: dict[str, Tensor], plan: BatchPlan) -> Batch:
        """Make the batch of the arrays on the device; host: the slot's arrays."""
        settings = self.settings
        if self.cut_on_device:
            crops = warp_image(
                arrays["pixels"], arrays["view_to_canvas"], settings.input_size, arrays["gain"], arrays["bias"]
            ).permute(0, 2, 3, 1)
        else:
            crops = arrays["pixels"]
            if settings.augment.colour:
                crops = (crops * arrays["gain"][:, None, None] + arrays["bias"][:, None, None]).clamp_(0, 255)
        xy, size = arrays["xy_cells"], settings.heatmap_size
        return Batch(
            images=normalise(crops),
            targets=render_targets(xy, size, settings.sigma),
            target_weight=target_weight(xy, arrays["visibility"], size),
            teacher_maps=self.teacher_maps.maps(arrays, host),
            teacher_weight=self.teacher_maps.weight(arrays["flipped"]),
            labelled=arrays["visibility"].amax(1).clamp(max=1).float() if self.unlabelled else None,
            plan=plan,
        )

    def _new_slot(self) -> Slot:
        batch_size, joints = self.settings.batch_size, self.instances.keypoints.shape[1]
        size = self.pixels.canvas_size(self.sampler.rows) if self.cut_on_device else self.settings.input_size
        shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "pixels": ((*size, 3), torch.uint8),
            "rows": ((), torch.int64),
            "flipped": ((), torch.bool),
            "gain": ((3,), torch.float32),
            "bias": ((3,), torch.float32),
            "visibility": ((joints,), torch.uint8),
            "xy_cells": ((joints, 2), torch.float32),
        }
        if self.cut_on_device:
            shapes["view_to_canvas"] = ((2, 3), torch.float32)
        if self.live is not None:
            shapes["teacher_pixels"] = ((*self.live.input_size, 3), torch.uint8)
        for i, cache in enumerate(self.caches):
            shapes[f"student_to_teacher_{i}"] = ((2, 3), torch.float32)
            if cache.needs_transfer:
                shapes[f"codes_{i}"] = (cache.shape, cache.torch_dtype)
            if cache.needs_peaks:
                shapes[f"peaks_{i}"] = ((joints, 2), torch.float32)
        arrays = {
            name: torch.empty((batch_size, *shape), dtype=dtype, pin_memory=self.cuda)
            for name, (shape, dtype) in shapes.items()
        }
        return Slot(arrays=arrays)
