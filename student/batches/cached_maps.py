"""Cached teacher maps of a batch: integers from the store, held on the device where they fit, replayed in each view."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.codec.profiles import Codes
from cache_tools.geometry import Matrix, compose, invert
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from student.batches.plan import Plan, between_cells, stored_view
from student.batches.stream import StreamSettings
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.replay import replay


def same_rows(stores: Sequence[HeatmapStore]) -> None:
    """CacheMismatch unless all stores are of the same persons in the same order."""
    first, *others = stores
    for other in others:
        if other.spec.annotations.digest != first.spec.annotations.digest:
            raise CacheMismatch(
                f"{first.url} and {other.url} are of different persons:\n"
                f"  rows: {first.rows} and {other.rows}\n"
                f"  annotations.digest: {first.spec.annotations.digest[:16]} and {other.spec.annotations.digest[:16]}\n"
                "Only caches of one annotation file can be averaged."
            )


def fits_memory(store: HeatmapStore, rows: int, memory_gib: float) -> bool:
    """Whether so many rows of the store's maps, or of its views where there are any, are within `memory_gib`."""
    return rows * _row_bytes(store) * max(store.spec.views, 1) <= memory_gib * 2**30


def _row_bytes(store: HeatmapStore) -> int:
    """Of one map of all joints, as integers."""
    return int(np.prod(store.codec.code_shape)) * store.spec.joints * np.dtype(store.codec.dtype).itemsize


class CachedMaps:
    """The maps of one store. `codes` and `matrices` prepare a batch on the CPU, `maps` ends it on the device."""

    def __init__(self, store: HeatmapStore, settings: StreamSettings, rows: int, device: torch.device) -> None:
        if store.spec.teacher.digest == "none":
            raise ValueError(
                f"{store.url} was built with no teacher, so its heatmaps are blank: set distill.mode to none, "
                "or build a store with a teacher"
            )
        self.store, self.settings, self.device = store, settings, device
        self.views = store.spec.views if settings.replay == "views" else 0
        if settings.replay == "views" and not self.views:
            raise ValueError(
                f"{store.url} holds no views: build it with --views K, or set distill.replay to peaks or warp"
            )
        self.codec = DeviceCodec.of(store.codec, device)
        self.shape = (store.spec.joints, *store.codec.code_shape)
        self.torch_dtype = torch.from_numpy(np.empty(0, store.codec.dtype)).dtype
        row_bytes = _row_bytes(store) * max(self.views, 1)
        self.in_memory = rows * row_bytes <= settings.memory_gib * 2**30
        self._resident: Tensor | None = None
        chunk = store.spec.chunk_rows
        if self.in_memory and device.type == "cuda" and not self.views:
            self._resident = torch.empty((rows, *self.shape), dtype=self.torch_dtype, device=device)
            for start in range(0, rows, store.spec.shard_rows):
                part = np.arange(start, min(start + store.spec.shard_rows, rows))
                self._resident[start : part[-1] + 1] = torch.from_numpy(store.read_codes(part)).to(device)
        elif self.in_memory:
            store.load(views=self.views > 0)
        chunks = max(64, int(settings.memory_gib * 2**30 / (row_bytes * chunk)))
        # rows of one window come in random order: a chunk is needed again and again, for a while
        self._chunk = lru_cache(maxsize=chunks)(
            lambda i: store.read_codes(np.arange(i * chunk, min((i + 1) * chunk, store.rows)))
        )

    @property
    def travels(self) -> bool:
        """Whether codes come with every batch; else they are on the device already."""
        return self._resident is None

    def stored(self, rows: NDArray[np.int64], epochs: NDArray[np.int64]) -> tuple[Matrix, NDArray[np.bool_], Codes]:
        """One stored view of each row: student cell -> image (B, 2, 3), flipped (B,), codes (B, 17, h', w')."""
        codes, crop_to_image, flipped = self.store.read_view_codes(rows)
        chosen = np.arange(len(rows)), stored_view(self.settings, rows, epochs, self.views)
        cells = between_cells(self.settings.heatmap_size, self.store.codec.heatmap_size)
        return compose(cells, self.store.cell_to_crop, crop_to_image[chosen]), flipped[chosen], codes[chosen]

    def codes(self, rows: NDArray[np.int64]) -> Codes:
        """Codes (B, 17, h', w') of rows."""
        if self.in_memory:
            return self.store.read_codes(rows)
        chunk = self.store.spec.chunk_rows
        return np.stack([self._chunk(int(row) // chunk)[row % chunk] for row in rows])

    def matrices(self, plan: Plan) -> Matrix:
        """Student cell -> image -> teacher crop -> teacher cell (B, 2, 3), composed."""
        teacher_from_image = compose(invert(self.store.crop_to_image[plan.rows]), invert(self.store.cell_to_crop))
        return compose(plan.cell_to_image, teacher_from_image)

    def maps(self, rows: Tensor, codes: Tensor | None, student_to_teacher: Tensor, flipped: Tensor) -> Tensor:
        """Teacher maps (B, 17, h, w) in the student's view, on the device; codes: None where they are there already."""
        if codes is None:
            assert self._resident is not None
            codes = self._resident[rows]
        maps = decode_codes(codes, self.codec)
        size, settings = self.settings.heatmap_size, self.settings
        if self.views and maps.shape[-2:] == size:
            return maps  # the view *is* the teacher's
        if self.views:
            return replay(maps, student_to_teacher, torch.zeros_like(flipped), size, "warp")
        return replay(
            maps,
            student_to_teacher,
            flipped,
            size,
            "warp" if settings.replay == "warp" else "peaks",
            teacher_sigma=self.store.spec.frame.sigma,
            student_sigma=settings.sigma,
        )
