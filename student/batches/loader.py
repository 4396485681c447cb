"""Batches for training: sampler -> decoding threads -> pinned ring -> side stream -> device.

    with TrainLoader([store], stream_of([settings])) as loader:
        for batch in loader.batches(0, 1000):
            ...

Batch n is a function of the store, the settings and n only: threads, processes and resumes cannot change it.

Targets, teacher maps and normalisation are made on the device; `ViewPixels` says where views are cut and pixels kept.
"""

import logging
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from cache_tools.skeletons import Skeleton
from cache_tools.store.writer import HeatmapStore
from student.batches.cached_maps import CachedMaps, check_same_joints, check_same_rows, fits_memory
from student.batches.labels import has_labels, shown_rows, usable_labels
from student.batches.live_maps import LiveMaps
from student.batches.pixel_source import PixelSource
from student.batches.plan import BatchPlan, plan_batch
from student.batches.sampler import Sampler
from student.batches.shared_bytes import Gather, gather_alone
from student.batches.slot import Slot
from student.batches.stream import StreamSettings
from student.batches.teacher_maps import TeacherMaps
from student.batches.thread_count import FIRST_THREADS, ThreadCount, thread_limit, wait_for_batch
from student.batches.view_pixels import ViewPixels
from student.cuda_graph import GraphedFunction, Tensors
from student.heatmaps.targets import render_targets, target_weight
from student.normalise import normalise_each
from student.pose_network import PoseNetwork

logger = logging.getLogger(__name__)
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
    teacher_maps: Tensor | None = None
    #: (B, K) 1 where some teacher knows the joint that the view shows, else 0; None where all know all
    teacher_weight: Tensor | None = None
    #: (B,) 1 where a person has labels, else 0; None where all have
    labelled: Tensor | None = None
    #: rows and geometry, on the CPU
    plan: BatchPlan


class TrainLoader:
    """The stream of batches of one process. Close it, or use it in a `with` block.

    photos: folder of the photos, in place of stored crops. teacher: runs on every batch where `settings.live`. rank,
    world: which process of how many this is. skeleton: in place of the stores', with the same names: another mirror
    order or other halves. cut_on_device: where views are cut; None chooses the cheaper place. gather: of all processes,
    where there are several: those on this host share the pixels that they keep.

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
        gather: Gather = gather_alone,
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
        self.pixels = PixelSource(next((s for s in stores if s.spec.crops is not None), stores[0]), photos)
        requested = self.cuda if cut_on_device is None else cut_on_device
        self.cut_on_device = requested and self.pixels.stored and self.live is None
        self.views = ViewPixels(
            self.pixels,
            settings,
            rows,
            self.device,
            drawn=drawn,
            cut_on_device=self.cut_on_device,
            gather=gather,
            rank=rank,
            world=world,
        )
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
        #: arrays that are not copied as they are: crops by DevicePixels, and those of a live teacher that is no torch
        #: network, which has read them on the CPU when its maps are there
        self._on_host = {"pixels"} if self.cut_on_device else set()
        if self.live is not None and not self.live.on_device:
            self._on_host.add("teacher_pixels")
        graphed = self.cuda and settings.cuda_graphs and self.live is None  # a live teacher may be any code
        self._graph = GraphedFunction(lambda arrays: self._tensors(arrays, {}), self.device) if graphed else None
        limit = thread_limit(settings.workers, self.device)
        self.thread_count = ThreadCount(settings.workers or FIRST_THREADS, limit)
        self._threads = ThreadPoolExecutor(limit, "decode")
        self._ring = [self._new_slot() for _ in range(self.thread_count.threads + READY_BATCHES)]

    def __enter__(self) -> "TrainLoader":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads after the batch that each of them is filling."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._graph = None

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
                    device_waited = wait_for_batch(future, self.device)
                    batch = self._to_device(slot)
                finally:
                    free.append(slot)
                free.extend(self._more_slots(device_waited))
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
        self.views.fill(slot, plan, None if self.live is None else self.live.crop_to_image(plan))

    # --- in the training loop

    def _more_slots(self, device_waited: bool) -> list[Slot]:
        """Return slots for the threads that are added for the device, now in the ring."""
        if self.thread_count.settled:
            return []
        slots = [self._new_slot() for _ in range(self.thread_count.batch_came(device_waited))]
        self._ring += slots
        if self.thread_count.settled and self.sampler.rank == 0:
            logger.info(str(self.thread_count))
        return slots

    def _to_device(self, slot: Slot) -> Batch:
        assert slot.plan is not None
        if self._copy_stream is None:
            self.views.receive(slot, slot.plan)
            return Batch(plan=slot.plan, **self._tensors(slot.arrays, slot.arrays))
        with torch.cuda.stream(self._copy_stream):
            self.views.receive(slot, slot.plan)
            host = {name: array for name, array in slot.arrays.items() if name not in self._on_host}
            # a thread sleeps while it waits for the copy; its core is another's
            slot.copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            if self._graph is not None:
                tensors = self._graph(host, slot.copied.record)
            else:
                arrays = {name: array.to(self.device, non_blocking=True) for name, array in host.items()}
                slot.copied.record()
                tensors = self._tensors(arrays, slot.arrays)
        step = torch.cuda.current_stream(self.device)
        step.wait_stream(self._copy_stream)
        for tensor in tensors.values():
            # allocated on the side stream: its memory must not be reused before the step has read it
            tensor.record_stream(step)
        return Batch(plan=slot.plan, **tensors)

    def _tensors(self, arrays: Tensors, host: Tensors) -> Tensors:
        """Return the tensors of a batch, by its fields. arrays: on the device; host: the slot's."""
        settings = self.settings
        xy, size = arrays["xy_cells"], settings.heatmap_size
        tensors = {
            "images": normalise_each(self.views.views(arrays)),
            "targets": render_targets(xy, size, settings.sigma),
            "target_weight": target_weight(xy, arrays["visibility"], size),
            "teacher_maps": self.teacher_maps.maps(arrays, host),
            "teacher_weight": self.teacher_maps.weight(arrays["flipped"]),
            "labelled": arrays["visibility"].amax(1).clamp(max=1).float() if self.unlabelled else None,
        }
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def _new_slot(self) -> Slot:
        batch_size, joints = self.settings.batch_size, self.instances.keypoints.shape[1]
        shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            **self.views.shapes(None if self.live is None else self.live.input_size),
            "rows": ((batch_size,), torch.int64),
            "flipped": ((batch_size,), torch.bool),
            "gain": ((batch_size, 3), torch.float32),
            "bias": ((batch_size, 3), torch.float32),
            "visibility": ((batch_size, joints), torch.uint8),
            "xy_cells": ((batch_size, joints, 2), torch.float32),
        }
        for i, cache in enumerate(self.caches):
            shapes[f"student_to_teacher_{i}"] = (batch_size, 2, 3), torch.float32
            if cache.needs_transfer:
                shapes[f"codes_{i}"] = (batch_size, *cache.shape), cache.torch_dtype
            if cache.needs_peaks:
                shapes[f"peaks_{i}"] = (batch_size, joints, 2), torch.float32
        return Slot.of(shapes, pinned=self.cuda)
