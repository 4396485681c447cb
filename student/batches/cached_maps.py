"""Cached teacher maps of a batch: integers from the store, held on the device where they fit, replayed in each view."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cache_tools.codec.profiles import Codes
from cache_tools.geometry import Matrix, compose, invert
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.spec import CacheMismatch
from cache_tools.store.writer import HeatmapStore
from student.batches.peak_table import PeakTable, peaks_on_device
from student.batches.plan import BatchPlan, between_cells, choose_stored_views
from student.batches.stream import StreamSettings
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.patches import PatchCodec, replay_codes
from student.heatmaps.replay import replay_maps
from student.pose_network import PoseNetwork

# of a store on disk, kept decompressed at the least
MIN_CHUNKS = 64


def check_same_rows(stores: Sequence[HeatmapStore]) -> None:
    """Raise CacheMismatch unless all stores are of the same persons in the same order and the same pixels."""
    first, *others = stores
    for other in others:
        if other.spec.annotations.digest != first.spec.annotations.digest:
            raise CacheMismatch(
                f"{first.url} and {other.url} are of different persons:\n"
                f"  rows: {first.rows} and {other.rows}\n"
                f"  annotations.digest: {first.spec.annotations.digest[:16]} and {other.spec.annotations.digest[:16]}\n"
                "Only caches of one annotation file can be averaged."
            )
        if other.spec.photos != first.spec.photos:
            raise CacheMismatch(
                f"{first.url} and {other.url} were built from photos that were read in different ways:\n"
                f"  photos.exif: {first.spec.photos.exif} and {other.spec.photos.exif}\n"
                f"  photos.depth: {first.spec.photos.depth} and {other.spec.photos.depth}\n"
                "Only caches of the same pixels can be averaged."
            )


def check_same_joints(skeleton: Skeleton, stores: Sequence[HeatmapStore], teacher: PoseNetwork | None) -> None:
    """Raise CacheMismatch unless stores and live teacher have the joints of `skeleton`, in its order."""
    for store in stores:
        if store.spec.skeleton.names != skeleton.names:
            raise CacheMismatch(
                f"{store.url} has other joints than {skeleton.name}:\n"
                f"  skeleton.names: found {', '.join(store.spec.skeleton.names)}\n"
                f"  expected {', '.join(skeleton.names)}\n"
                "A skeleton may change mirror, halves, edges and sigmas of a store's joints, not the joints."
            )
    if teacher is not None and (teacher.skeleton or COCO).names != skeleton.names:
        raise CacheMismatch(f"{teacher.name} has other joints than {skeleton.name}, of which the store's labels are")


def fits_memory(store: HeatmapStore, rows: int, memory_gib: float) -> bool:
    """Return whether `rows` rows of the store's maps, or of its views where it has any, fit in `memory_gib`."""
    return rows * _row_bytes(store) * max(store.spec.views, 1) <= memory_gib * 2**30


def _row_bytes(store: HeatmapStore) -> int:
    """Return the size of a row's codes, one map a joint."""
    return int(np.prod(store.codec.code_shape)) * store.spec.joints * np.dtype(store.codec.dtype).itemsize


class CachedMaps:
    """The maps of one store: `codes` and `matrices` prepare a batch on the CPU, `maps` completes it on the device.

    rows: the first `rows` of the store are used. mirror: mirror order of its joints, None where it is not known.
    Raises ValueError for a store of blank heatmaps, and for one without views where `settings.replay` is `views`.
    """

    def __init__(
        self,
        store: HeatmapStore,
        settings: StreamSettings,
        rows: int,
        device: torch.device,
        *,
        mirror: tuple[int, ...] | None,
    ) -> None:
        if store.spec.teacher.digest == "none":
            raise ValueError(
                f"{store.url} was built with no teacher, and its heatmaps are blank: set distill.mode to none, "
                "or build a store with a teacher"
            )
        self.store, self.settings, self.mirror = store, settings, mirror
        self.views = store.spec.views if settings.replay == "views" else 0
        if settings.replay == "views" and not self.views:
            raise ValueError(
                f"{store.url} holds no views: build it with --views K, or set distill.replay to peaks or warp"
            )
        #: student's cell -> cell of a teacher's map of the same view
        self._between_cells = between_cells(settings.heatmap_size, store.codec.heatmap_size)
        self.codec = DeviceCodec.of(store.codec, device)
        self.shape = (store.spec.joints, *store.codec.code_shape)
        self.torch_dtype = torch.from_numpy(np.empty(0, store.codec.dtype)).dtype
        row_bytes = _row_bytes(store) * max(self.views, 1)
        self.in_memory = rows * row_bytes <= settings.memory_gib * 2**30
        self._on_device: Tensor | None = None
        self._peaks_on_device: Tensor | None = None
        #: None where the teacher's whole maps are replayed
        self._patches: PatchCodec | None = None
        if settings.replay == "peaks":
            self._patches = PatchCodec.of(
                self.codec,
                store.codec.heatmap_size,
                teacher_sigma=store.spec.frame.sigma,
                student_sigma=settings.sigma,
            )
        if self.in_memory and device.type == "cuda" and not self.views:
            self._on_device = self._copy_to(device, rows)
            if self._patches is not None:
                self._peaks_on_device = peaks_on_device(self._on_device, self.codec)
        elif self.in_memory:
            store.load(views=self.views > 0)
        codec = DeviceCodec.of(store.codec, "cpu")
        self._peaks = PeakTable(self.codes, codec, rows=rows, stored=store.rows, joints=store.spec.joints)
        # rows of one window come in random order, and each chunk is needed many times within it
        chunks = int(settings.memory_gib * 2**30 / (row_bytes * store.spec.chunk_rows))
        self._chunk = lru_cache(maxsize=max(MIN_CHUNKS, chunks))(self._read_chunk)

    @property
    def needs_transfer(self) -> bool:
        """Whether codes are copied to the device with every batch; else they are there already."""
        return self._on_device is None

    @property
    def needs_peaks(self) -> bool:
        """Whether peaks are copied to the device with every batch; else they are there already, or not used."""
        return self._patches is not None and self._peaks_on_device is None

    def stored_views(
        self, rows: NDArray[np.int64], epochs: NDArray[np.int64]
    ) -> tuple[Matrix, NDArray[np.bool_], Codes]:
        """Return one stored view a row: student's cell -> image (B, 2, 3), flipped (B,), codes (B, K, h', w')."""
        codes, crop_to_image, flipped = self.store.read_view_codes(rows)
        chosen = np.arange(len(rows)), choose_stored_views(self.settings, rows, epochs, self.views)
        cell_to_image = compose(self._between_cells, self.store.cell_to_crop, crop_to_image[chosen])
        return cell_to_image, flipped[chosen], codes[chosen]

    def codes(self, rows: NDArray[np.int64]) -> Codes:
        """Return the codes (B, K, h', w') of rows."""
        if self.in_memory:
            return self.store.read_codes(rows)
        chunk_rows = self.store.spec.chunk_rows
        return np.stack([self._chunk(int(row) // chunk_rows)[row % chunk_rows] for row in rows])

    def peaks(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the highest peaks (B, K, 2) of the maps of rows, in the teacher's cells."""
        return self._peaks.read(rows)

    def matrices(self, plan: BatchPlan) -> Matrix:
        """Return student's cell -> image -> teacher's crop -> teacher's cell (B, 2, 3), composed."""
        if self.views:
            # the student's view is the teacher's
            return np.broadcast_to(self._between_cells, (len(plan.rows), 2, 3))
        image_to_teacher = compose(invert(self.store.crop_to_image[plan.rows]), invert(self.store.cell_to_crop))
        return compose(plan.cell_to_image, image_to_teacher)

    def maps(
        self,
        rows: Tensor,
        codes: Tensor | None,
        peaks: Tensor | None,
        student_to_teacher: Tensor,
        flipped: Tensor,
    ) -> Tensor:
        """Return teacher maps (B, K, h, w) in the student's view, on the device.

        codes, peaks: None where the device has them already. The other arguments are tensors on the device: rows (B,),
        student_to_teacher (B, 2, 3) as `matrices` returns it, flipped (B,).
        """
        if codes is None:
            assert self._on_device is not None
            codes = self._on_device[rows]
        size = self.settings.heatmap_size
        if self._patches is not None:
            if peaks is None:
                assert self._peaks_on_device is not None
                peaks = self._peaks_on_device[rows]
            return replay_codes(codes, self._patches, peaks, student_to_teacher, flipped, size, mirror=self.mirror)
        maps = decode_codes(codes, self.codec)
        if self.views and maps.shape[-2:] == size:
            return maps
        if self.views:
            # the stored view was mirrored already
            flipped = torch.zeros_like(flipped)
        return replay_maps(maps, student_to_teacher, flipped, size, "warp", mirror=self.mirror)

    def _copy_to(self, device: torch.device, rows: int) -> Tensor:
        """Return the codes of the first `rows` rows on the device, copied a shard at a time."""
        codes = torch.empty((rows, *self.shape), dtype=self.torch_dtype, device=device)
        for start in range(0, rows, self.store.spec.shard_rows):
            shard = np.arange(start, min(start + self.store.spec.shard_rows, rows))
            codes[start : start + len(shard)] = torch.from_numpy(self.store.read_codes(shard)).to(device)
        return codes

    def _read_chunk(self, number: int) -> Codes:
        first = number * self.store.spec.chunk_rows
        return self.store.read_codes(np.arange(first, min(first + self.store.spec.chunk_rows, self.store.rows)))
