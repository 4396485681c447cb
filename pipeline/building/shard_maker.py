"""Make one shard of a store from its photos: read, cut, run the teacher, write."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.crops import CropPolicy, StoredCrop, encode_planned, plan_crops
from cache_tools.geometry import Matrix
from cache_tools.images import cut, read_image
from cache_tools.instances import Instances
from cache_tools.prefetch import ordered_map, usable_cpus
from cache_tools.skeletons import Skeleton
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import RECIPES
from student.batches.augment import sample_views
from student.network_output import heatmaps_of
from student.pose_network import Crops, Maps, PoseNetwork

#: of the stored views; their geometry is stored with them, therefore nothing is drawn from these a second time
VIEWS_RECIPE, VIEWS_SEED = "vitpose", 0


class Stopped(Exception):
    """Raised in a shard that is dropped, because the build is being stopped."""


class ShardPersons(NamedTuple):
    """The persons of one shard: all that a worker needs of the instance table."""

    instances: Instances
    #: (n, 2, 3) teacher crop pixel -> image pixel
    crop_to_image: Matrix

    @classmethod
    def of(cls, store: HeatmapStore, shard: int) -> "ShardPersons":
        """Return those of a store's shard."""
        rows = store.shard_rows(shard)
        part = slice(rows.start, rows.stop)
        return cls(store.instances.take(part), store.crop_to_image[part])


class CropBatch(NamedTuple):
    """Crops for one call of the teacher, and what the store keeps of the same persons."""

    positions: range  #: in the shard
    pixels: Crops  #: (B, V, H, W, 3)
    stored: list[StoredCrop]  #: one a person; empty where none is kept


class TaughtBatch(NamedTuple):
    """The teacher's heatmaps of a CropBatch."""

    positions: range  #: in the shard
    maps: Maps  #: (B, V, 17, h, w)
    stored: list[StoredCrop]  #: one a person; empty where none is kept


class CropBatches:
    """The teacher's batches of a shard. The threads that read photos write every crop into its batch directly."""

    def __init__(self, rows: int, batch_size: int, views: int, crop_size: tuple[int, int]) -> None:
        """Plan batches of about `batch_size` crops (H, W, 3), `views` a person."""
        self.rows, self.step, self.crop_shape = rows, max(1, batch_size // views), (views, *crop_size, 3)
        #: (B, V, H, W, 3) by the batch's number
        self._filling: dict[int, Crops] = {}
        #: of the rows that are cut, from the first on
        self._stored: list[StoredCrop | None] = []

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.rows // self.step)

    def crops_of(self, row: int) -> Crops:
        """Return the array (V, H, W, 3) to write the crops of a row to."""
        number, position = divmod(row, self.step)
        if (batch := self._filling.get(number)) is None:
            new = np.empty((min(self.step, self.rows - number * self.step), *self.crop_shape), np.uint8)
            # of two threads that come here at once, the first wins
            batch = self._filling.setdefault(number, new)
        crops: Crops = batch[position]
        return crops

    def take(self, number: int, cut_photos: Iterator[list[StoredCrop | None]]) -> CropBatch:
        """Return a batch once all of it is cut. cut_photos: for each photo, in order, an entry a person of it."""
        positions = range(number * self.step, min((number + 1) * self.step, self.rows))
        while len(self._stored) < positions.stop:
            self._stored += next(cut_photos)
        stored = [crop for crop in self._stored[positions.start : positions.stop] if crop is not None]
        return CropBatch(positions, self._filling.pop(number), stored)


class ShardMaker:
    """A teacher and the store that it fills.

    `make` may run in two threads: the teacher begins the next shard while the last one is compressed and written. More
    threads would only hold more memory.
    """

    def __init__(
        self,
        store: HeatmapStore,
        teacher: PoseNetwork,
        images: Path,
        *,
        batch_size: int = 32,
        readers: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare the maker. readers: threads that read photos, None for one a CPU.

        progress: called with the number of rows that have passed the teacher since the last call.
        """
        self.store, self.teacher, self.images, self.batch_size = store, teacher, images, batch_size
        self.readers = readers or usable_cpus()
        self.progress = progress or (lambda rows: None)
        self.seconds_in_teacher = 0.0
        # each of our threads would start OpenCV's threads otherwise
        cv2.setNumThreads(1)
        #: held from a shard's first crop to its last heatmap
        self._teacher_lock = threading.Lock()
        self._stop = threading.Event()

    def make(self, shard: int, persons: ShardPersons | None = None) -> int:
        """Make and write one shard; return the number of its rows.

        persons: of the shard, where the store was opened without its table.
        """
        store = self.store
        rows = store.shard_rows(shard)
        # a cluster may run a task a second time
        if store.is_written(shard):
            return len(rows)
        persons = persons or ShardPersons.of(store, shard)
        content = store.new_shard(shard, persons.instances.annotation_id)
        with self._teacher_lock:
            self._add_heatmaps(content, persons)
            if store.spec.views:
                self._add_views(content, persons.instances)
        store.write_shard(content)
        return len(rows)

    def stop(self) -> None:
        """Drop every shard that is being made, at its next batch, by raising Stopped there."""
        self._stop.set()

    def _add_heatmaps(self, content: ShardContent, persons: ShardPersons) -> None:
        """Add each person's heatmaps and, where the store holds crops, its crop."""
        rows, crops = content.rows, self.store.spec.crops
        policy = None if crops is None else CropPolicy(input_size=self.teacher.input_size, encoding=crops.encoding)
        to_image = persons.crop_to_image[:, None]  # (n, 1, 2, 3)
        with closing(self._heatmaps(persons.instances, to_image, policy)) as batches:
            for positions, maps, stored in batches:
                content.add(rows[positions.start : positions.stop], maps[:, 0], None if policy is None else stored)

    def _add_views(self, content: ShardContent, persons: Instances) -> None:
        """Add the heatmaps of random views of each person."""
        rows = content.rows
        to_image, flipped = sample_geometry(
            persons, np.array(rows), self.store.spec.views, self.teacher, self.store.spec.skeleton
        )
        with closing(self._heatmaps(persons, to_image)) as batches:
            for positions, maps, _ in batches:
                part = slice(positions.start, positions.stop)
                content.add_views(rows[part], maps, to_image[part], flipped[part])

    def _heatmaps(
        self, persons: Instances, to_image: Matrix, policy: CropPolicy | None = None
    ) -> Generator[TaughtBatch, None, None]:
        """Yield the heatmaps of the V crops a person that `to_image` (n, V, 2, 3) cuts, in row order.

        policy: also cut and encode the persons' crops for the store, while a photo is in memory.
        """
        photos = [list(rows) for _, rows in groupby(range(len(persons)), key=persons.file_name.__getitem__)]
        batches = CropBatches(len(persons), self.batch_size, to_image.shape[1], self.teacher.input_size)
        plan = plan_crops(persons.box, persons.image_size, policy or CropPolicy())

        def cut_persons(rows: list[int]) -> list[StoredCrop | None]:
            height, width = persons.image_size[rows[0]].tolist()
            image = read_image(self.images / persons.file_name[rows[0]], (height, width), self.store.spec.photos, 4)
            stored: list[StoredCrop | None] = [None] * len(rows)
            if policy is not None:
                stored = [encode_planned(image, plan, row, policy) for row in rows]
            for row in rows:
                for matrix, crop in zip(to_image[row], batches.crops_of(row), strict=True):
                    cut(image, matrix, self.teacher.input_size, out=crop)
            return stored

        with (
            closing(ordered_map(cut_persons, photos, self.readers)) as cut_photos,
            # One thread, which keeps batches in order; maps are encoded while it runs the teacher on the next batch.
            closing(ordered_map(lambda n: self._teach(batches.take(n, cut_photos)), range(len(batches)), 1)) as taught,
        ):
            yield from taught

    def _teach(self, batch: CropBatch) -> TaughtBatch:
        """Return the teacher's heatmaps of a batch."""
        if self._stop.is_set():
            raise Stopped
        persons, views = batch.pixels.shape[:2]
        start = time.perf_counter()
        # a NaN is found when the maps are encoded, which names the annotation
        maps = heatmaps_of(self.teacher, batch.pixels.reshape(-1, *batch.pixels.shape[2:]))
        self.seconds_in_teacher += time.perf_counter() - start
        self.progress(persons * views / (1 + self.store.spec.views))
        return TaughtBatch(batch.positions, maps.reshape(persons, views, *maps.shape[1:]), batch.stored)


def sample_geometry(
    persons: Instances, rows: NDArray[np.integer], count: int, teacher: PoseNetwork, skeleton: Skeleton
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return crop_to_image (n, K, 2, 3) and flipped (n, K) of K random views a person."""
    sampled = [
        sample_views(
            persons.box, persons.keypoints, persons.visibility, rows, RECIPES[VIEWS_RECIPE],
            skeleton=skeleton, seed=VIEWS_SEED, epoch=k,
            input_size=teacher.input_size, frame=teacher.frame,
        )
        for k in range(count)
    ]  # fmt: skip
    return np.stack([v.crop_to_image for v in sampled], 1), np.stack([v.flipped for v in sampled], 1)
