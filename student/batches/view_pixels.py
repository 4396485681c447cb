"""The pixels of a batch's views: cut by the threads on the CPU, or on the device from crops that it holds.

Views are cut where that is cheapest: by the threads (OpenCV, uint8) for training on a CPU and for photos from a folder,
on the device for stored crops and a GPU. Where the crops are kept changes no bit of them.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.geometry import Matrix, compose, invert
from student.batches.device_pixels import DevicePixels, StagedCrop
from student.batches.kept_pixels import KeptPixels
from student.batches.pixel_choice import choose_pixels, needed_bytes
from student.batches.pixel_source import PixelSource, pixel_size
from student.batches.plan import BatchPlan
from student.batches.shared_bytes import Gather
from student.batches.slot import Shapes, Slot
from student.batches.stream import StreamSettings
from student.batches.warp import warp_crops


class ViewPixels:
    """The pixels of the views of one process, and where they are kept.

    rows: the first `rows` of the store are used, or of those the ones `drawn`. cut_on_device: where views are cut.
    gather, rank, world: of all processes. Raises ValueError where pixels can't be kept where `settings.pixels` says.
    """

    def __init__(
        self,
        source: PixelSource,
        settings: StreamSettings,
        rows: int,
        device: torch.device,
        *,
        drawn: NDArray[np.int64] | None = None,
        cut_on_device: bool,
        gather: Gather,
        rank: int,
        world: int,
    ) -> None:
        self.source, self.settings = source, settings
        stored, count = source.stored, settings.batch_size
        shown = np.arange(rows) if drawn is None else drawn
        needed = needed_bytes(source.store, shown, settings) if stored else 0
        choice = choose_pixels(settings, needed, device, stored=stored, cut_on_device=cut_on_device)
        # processes on hosts with more memory and less must agree where pixels are, not how many of them
        self.choice = replace(choice, place=gather(choice.place)[0])
        sizes = source.store.read_crop_sizes(np.arange(rows)) if stored else np.zeros((0, 2), np.int64)
        if self.choice.place == "memory":
            source.kept = KeptPixels(
                sizes, choice.budget, reserve=choice.reserve, gather=gather, place=rank, places=world
            )
        #: None where the threads cut the views
        self.on_device: DevicePixels | None = None
        if cut_on_device:
            #: (height, width) in which each crop fits
            self.canvas_size = int(sizes[:, 0].max()), int(sizes[:, 1].max())
            largest = np.sort(3 * sizes.prod(1))[-count:]
            # where a batch has more rows than the store, it holds some twice
            self._batch_bytes = int(largest.sum() + largest[-1] * (count - len(largest)))
            budget = self.choice.budget if self.choice.place == "device" else 0
            self.on_device = DevicePixels(budget, self._batch_bytes, device)

    def shapes(self, teacher_size: tuple[int, int] | None) -> Shapes:
        """Return the arrays that a slot needs. teacher_size: height and width of a live teacher's crops."""
        count = self.settings.batch_size
        if self.on_device is not None:
            return {
                "pixels": ((self._batch_bytes,), torch.uint8),
                "view_to_canvas": ((count, 2, 3), torch.float32),
                "canvas_size": ((count, 2), torch.int64),
                "canvas_start": ((count,), torch.int64),
            }
        shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "pixels": ((count, *self.settings.input_size, 3), torch.uint8)
        }
        if teacher_size is not None:
            shapes["teacher_pixels"] = (count, *teacher_size, 3), torch.uint8
        return shapes

    def fill(self, slot: Slot, plan: BatchPlan, teacher_to_image: Matrix | None) -> None:
        """Write a batch's pixels into its slot; in a thread. teacher_to_image: a live teacher's crop pixel -> image."""
        if self.on_device is not None:
            self._stage(slot, plan, self.on_device)
            return
        views: list[tuple[Matrix, NDArray[np.uint8]]] = [(plan.view_to_image, slot.view("pixels"))]
        if teacher_to_image is not None:
            views.append((teacher_to_image, slot.view("teacher_pixels")))
        self.source.cut(plan.rows, views)

    def receive(self, slot: Slot, plan: BatchPlan) -> None:
        """Copy the crops that the device does not hold, and write where the batch's crops lie; in order of batches."""
        if self.on_device is not None:
            assert slot.shrinks is not None
            self.on_device.receive(slot.arrays["pixels"], slot.staged)
            slot.write("canvas_start", self.on_device.place(plan.rows, slot.shrinks, slot.staged))

    def views(self, arrays: dict[str, Tensor]) -> Tensor:
        """Return the views (B, H, W, 3) of a batch's arrays on the device, values in 0..255, colours changed."""
        gain, bias, settings = arrays["gain"], arrays["bias"], self.settings
        if self.on_device is not None:
            return warp_crops(
                self.on_device.pixels,
                arrays["canvas_start"],
                arrays["canvas_size"],
                self.canvas_size,
                arrays["view_to_canvas"],
                settings.input_size,
                gain,
                bias,
            ).permute(0, 2, 3, 1)
        if not settings.augment.colour:
            return arrays["pixels"]
        return (arrays["pixels"] * gain[:, None, None] + bias[:, None, None]).clamp_(0, 255)

    def _stage(self, slot: Slot, plan: BatchPlan, on_device: DevicePixels) -> None:
        """Write where the views lie in their crops, and the crops that the device does not hold."""
        shrinks = slot.shrinks = self.source.shrinks(plan.rows, pixel_size(plan.view_to_image))
        sizes = self.source.canvas_sizes(plan.rows, shrinks)
        view_to_canvas = compose(plan.view_to_image, invert(self.source.canvas_to_image(plan.rows, shrinks)))
        slot.write("view_to_canvas", view_to_canvas.astype(np.float32))
        slot.write("canvas_size", sizes)
        pixels, start = slot.view("pixels"), 0
        slot.staged = []
        for index, (row, shrink) in enumerate(zip(plan.rows.tolist(), shrinks.tolist(), strict=True)):
            if not on_device.holds(row, shrink):
                size = 3 * int(sizes[index].prod())
                self.source.copy(row, shrink, pixels[start : start + size].reshape(*sizes[index], 3))
                slot.staged.append(StagedCrop(index, row, shrink, start, size))
                start += size
