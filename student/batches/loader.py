"""Batches for training: sampler -> decode threads -> pinned ring -> side stream -> device.

    with TrainLoader([store], stream_of([settings])) as loader:
        for batch in loader.batches(0, 1000):
            ...

Batch n is a function of the store, the settings and n alone: threads, processes and resumes can't change it.

Pixels are cut to the student's view where that is cheapest: by the threads (OpenCV, uint8) for training on a CPU and
for photos from a folder, on the device for stored crops and a GPU. Targets, teacher maps and normalisation are made on
the device.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.geometry import Matrix, cell_to_crop
from cache_tools.store.writer import HeatmapStore
from student.batches.cached_maps import CachedMaps, fits_memory, same_rows
from student.batches.live_maps import LiveMaps
from student.batches.pixel_source import PixelSource
from student.batches.plan import Plan, plan_batch
from student.batches.sampler import Sampler
from student.batches.stream import StreamSettings
from student.batches.warp import warp_image
from student.heatmaps.targets import render_targets, target_weight
from student.normalise import normalise
from student.pose_network import PoseNetwork

AHEAD = 2  # batches ready or on their way to the device, beside the one in each thread's hands


@dataclass(frozen=True)
class Batch:
    """B persons on the device."""

    images: Tensor  # (B, 3, H, W) float32, normalised
    targets: Tensor  # (B, 17, h, w) from the labels
    target_weight: Tensor  # (B, 17) 1 where a joint is labelled and in view
    teacher_maps: Tensor | None  # (B, 17, h, w) in the student's view
    plan: Plan  # rows and geometry, on the CPU


@dataclass
class Slot:
    """One place of the ring: the arrays that a thread fills, pinned where the device is a GPU."""

    arrays: dict[str, Tensor] = field(default_factory=dict)
    copied: torch.cuda.Event | None = None
    plan: Plan | None = None

    def put(self, name: str, values: NDArray) -> None:
        """Copy `values` into the slot's array of that name."""
        np.copyto(self.view(name), values, casting="same_kind")

    def view(self, name: str) -> NDArray:
        """The slot's array as numpy sees it."""
        return self.arrays[name].numpy()


class TrainLoader:
    """The stream of batches of one process. close() it, or use it in a `with` block.

    photos: folder of the photos, in place of stored crops. teacher: asked about every batch when `settings.live`.
    cut_on_device: where views are cut, when it shall not be chosen.
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
        cut_on_device: bool | None = None,
    ) -> None:
        same_rows(stores)
        self.settings, self.device = settings, torch.device(device)
        self.cuda = self.device.type == "cuda"
        if settings.live and teacher is None:
            raise ValueError("distill.mode is live: give the teacher that is to be asked (--teacher)")
        if settings.replay == "views" and len(stores) > 1:
            raise ValueError(f"distill.replay is views: expected one store, found {len(stores)}, whose views differ")
        self.live = LiveMaps(teacher, settings, self.device) if teacher is not None and settings.live else None
        rows = min(stores[0].rows, settings.max_rows or stores[0].rows)
        self.instances = stores[0].instances
        cached = settings.replay is not None and self.live is None
        self.caches = [CachedMaps(s, settings, rows, self.device) for s in stores] if cached else []
        with_crops = next((s for s in stores if s.spec.crops is not None), stores[0])
        self.pixels = PixelSource(with_crops, photos)
        wanted = self.cuda if cut_on_device is None else cut_on_device
        self.cut_on_device = wanted and self.pixels.stored and self.live is None
        # whether it is used or not, so that runs with and without a teacher see the same rows in the same order
        near = all(fits_memory(store, rows, settings.memory_gib) for store in stores)
        self.sampler = Sampler(
            rows,
            settings.batch_size,
            settings.seed,
            shard_rows=None if near else stores[0].spec.shard_rows,
            rank=rank,
            world=world,
        )
        self._cells = cell_to_crop("udp", settings.input_size, settings.heatmap_size)
        self._stream = torch.cuda.Stream(self.device) if self.cuda else None
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self.device))  # which brought the caches to the device
        self._threads = ThreadPoolExecutor(settings.workers, "decode")
        self._ring = [self._new_slot() for _ in range(settings.workers + AHEAD)]

    def __enter__(self) -> "TrainLoader":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads end what they hold in hand, and no more: the work of a batch each, at most."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of steps `start` to `stop` - 1; an error in a thread is raised here, at its batch.

        Invariant of the ring: at any time a slot belongs to exactly one of
          - `free`: nobody reads or writes it;
          - a thread, from its submission until its future is done: nobody else writes it;
          - the copy to the device, which reads it until its event `copied`; the slot goes back to `free` at once, and
            the thread that gets it next waits for that event before its first write.
        On a CPU a batch holds no memory of its slot, so the slot is free when the batch is made.
        """
        free, waiting = deque(self._ring), deque[tuple[Future[None], Slot]]()
        steps = iter(range(start, stop))

        def send() -> None:
            while free and (step := next(steps, None)) is not None:
                slot = free.popleft()
                waiting.append((self._threads.submit(self._fill, slot, step), slot))

        try:
            send()
            while waiting:
                future, slot = waiting.popleft()
                try:
                    future.result()
                    batch = self._to_device(slot)
                finally:
                    free.append(slot)
                send()  # before the step: threads work while it runs
                yield batch
        finally:
            # the ring is whole again when the next call begins; who was cancelled never ends
            wait([future for future, _ in waiting if not future.cancel()])

    # --- in the threads

    def _fill(self, slot: Slot, step: int) -> None:
        """Everything of a batch that is made on the CPU."""
        if slot.copied is not None:
            slot.copied.synchronize()
        rows, epochs = self.sampler.batch(step)
        stored = None
        if self.settings.replay == "views":
            cell_to_image, flipped, codes = self.caches[0].stored(rows, epochs)
            stored = cell_to_image, flipped
            slot.put("codes_0", codes)
        plan = slot.plan = plan_batch(self.settings, self.instances, rows, epochs, stored)
        for i, cache in enumerate(self.caches):
            slot.put(f"student_to_teacher_{i}", cache.matrices(plan).astype(np.float32))
            if cache.travels and stored is None:
                slot.put(f"codes_{i}", cache.codes(rows))
        for name in ("rows", "flipped", "gain", "bias", "visibility"):
            slot.put(name, getattr(plan, name))
        slot.put("xy_cells", plan.xy_cells.astype(np.float32))
        if self.cut_on_device:
            view_to_canvas = self.pixels.copy(rows, plan.view_to_image, slot.view("pixels"))
            slot.put("view_to_canvas", view_to_canvas.astype(np.float32))
            return
        views: list[tuple[Matrix, NDArray[np.uint8]]] = [(plan.view_to_image, slot.view("pixels"))]
        if self.live is not None:
            views.append((self.live.view(plan), slot.view("teacher_pixels")))
        self.pixels.cut(rows, views)

    # --- in the training loop

    def _to_device(self, slot: Slot) -> Batch:
        assert slot.plan is not None
        if self._stream is None:
            return self._batch(slot.arrays, slot.arrays, slot.plan)
        with torch.cuda.stream(self._stream):
            arrays = {
                name: array.to(self.device, non_blocking=True)
                for name, array in slot.arrays.items()
                if name != "teacher_pixels"  # a live teacher takes them from here
            }
            slot.copied = torch.cuda.Event()
            slot.copied.record()
            batch = self._batch(arrays, slot.arrays, slot.plan)
        step = torch.cuda.current_stream(self.device)
        step.wait_stream(self._stream)
        for tensor in (batch.images, batch.targets, batch.target_weight, batch.teacher_maps):
            if tensor is not None:
                tensor.record_stream(step)  # made on the side stream, given back on the step's
        return batch

    def _batch(self, arrays: dict[str, Tensor], host: dict[str, Tensor], plan: Plan) -> Batch:
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
            teacher_maps=self._teacher_maps(arrays, host),
            plan=plan,
        )

    def _teacher_maps(self, arrays: dict[str, Tensor], host: dict[str, Tensor]) -> Tensor | None:
        if self.live is not None:
            return self.live.maps(host["teacher_pixels"].numpy())
        if not self.caches:
            return None
        words = [
            cache.maps(arrays["rows"], arrays.get(f"codes_{i}"), arrays[f"student_to_teacher_{i}"], arrays["flipped"])
            for i, cache in enumerate(self.caches)
        ]
        return words[0] if len(words) == 1 else torch.stack(words).mean(0)

    def _new_slot(self) -> Slot:
        batch, size = self.settings.batch_size, self.settings.input_size
        shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "pixels": ((*(self.pixels.canvas_size(self.sampler.rows) if self.cut_on_device else size), 3), torch.uint8),
            "rows": ((), torch.int64),
            "flipped": ((), torch.bool),
            "gain": ((3,), torch.float32),
            "bias": ((3,), torch.float32),
            "visibility": ((17,), torch.uint8),
            "xy_cells": ((17, 2), torch.float32),
        }
        if self.cut_on_device:
            shapes["view_to_canvas"] = ((2, 3), torch.float32)
        if self.live is not None:
            shapes["teacher_pixels"] = ((*self.live.input_size, 3), torch.uint8)
        for i, cache in enumerate(self.caches):
            shapes[f"student_to_teacher_{i}"] = ((2, 3), torch.float32)
            if cache.travels:
                shapes[f"codes_{i}"] = (cache.shape, cache.torch_dtype)
        return Slot({n: torch.empty((batch, *s), dtype=t, pin_memory=self.cuda) for n, (s, t) in shapes.items()})
