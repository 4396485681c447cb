"""One shard of a store from its photos: read, cut, ask the teacher, write."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache_tools.crops import CropPolicy, store_crop
from cache_tools.geometry import Matrix
from cache_tools.images import Image, cut, four_channels, read_image
from cache_tools.instances import Instances
from cache_tools.prefetch import in_order, usable_cpus
from cache_tools.store.writer import HeatmapStore, Views
from student.augment_recipes import RECIPES
from student.batches.augment import sample_views
from student.pose_network import Crops, Maps, PoseNetwork

VIEWS_RECIPE, VIEWS_SEED = "vitpose", 0  # their geometry is stored, so nothing is ever drawn from these again


class Stopped(Exception):
    """A shard was dropped, because the build is being stopped."""


class StoredCrops:
    """The crops of a shard's rows that go into the store, in any order of arrival."""

    def __init__(self, rows: int, policy: CropPolicy) -> None:
        self.policy = policy
        self.jpeg = [b""] * rows
        self.to_image: Matrix = np.zeros((rows, 2, 3))
        self.size = np.zeros((rows, 2), np.int64)  # height, width

    def add(self, row: int, image: Image, box_xywh: NDArray[np.float64]) -> None:
        """Cut a person out of its photo."""
        self.jpeg[row], self.to_image[row], self.size[row] = store_crop(image, box_xywh, self.policy)


class Batches:
    """The teacher's batches of a shard, filled by the threads that read photos: every crop is cut to its place."""

    def __init__(self, rows: int, batch_size: int, views: int, crop_size: tuple[int, int]) -> None:
        self.rows, self.step, self.crop_shape = rows, max(1, batch_size // views), (views, *crop_size, 3)
        self._filling: dict[int, Crops] = {}  # (B, V, H, W, 3) by its number
        self._ready = 0  # rows from the first on that are cut

    def __len__(self) -> int:
        return -(-self.rows // self.step)

    def of(self, row: int) -> Crops:
        """Where the crops (V, H, W, 3) of a row are to be put."""
        number, place = divmod(row, self.step)
        if (batch := self._filling.get(number)) is None:
            new = np.empty((min(self.step, self.rows - number * self.step), *self.crop_shape), np.uint8)
            batch = self._filling.setdefault(number, new)  # the first of two threads wins
        return batch[place]

    def take(self, number: int, cut_rows: Iterator[int]) -> Crops:
        """A batch (B, V, H, W, 3), once all of it is cut. cut_rows: tells how many rows more are, in their order."""
        while self._ready < min((number + 1) * self.step, self.rows):
            self._ready += next(cut_rows)
        return self._filling.pop(number)


class ShardMaker:
    """A teacher and the store that it fills. `make` may run in two threads: the teacher then begins the next shard
    while the last one is compressed and written; more threads would only hold more."""

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
        """readers: threads that read photos, None for one a CPU. progress: is told how many rows more are through."""
        self.store, self.teacher, self.images, self.batch_size = store, teacher, images, batch_size
        self.readers = readers or usable_cpus()
        self.progress = progress or (lambda rows: None)
        self.seconds_in_teacher = 0.0
        # OpenCV would start threads of its own in each of ours
        cv2.setNumThreads(1)
        self._turn = threading.Lock()  # the teacher's: held from a shard's first crop to its last heatmap
        self._stop = threading.Event()

    def make(self, shard: int) -> int:
        """Make and write one shard; the number of its rows."""
        rows = self.store.shard_rows(shard)
        persons = self.store.instances.take(slice(rows.start, rows.stop))
        crops = (
            StoredCrops(len(rows), CropPolicy(input_size=self.teacher.input_size)) if self.store.spec.crops else None
        )
        to_image = self.store.crop_to_image[rows.start : rows.stop, None]  # (n, 1, 2, 3)
        with ExitStack() as stack:
            # write_shard reads the maps first, and by the last of them the stored crops are complete
            maps = stack.enter_context(closing(self._maps(persons, to_image, crops)))
            views = None
            if count := self.store.spec.views:
                to_image, flipped = sample_geometry(persons, np.array(rows), count, self.teacher)
                views = Views(stack.enter_context(closing(self._maps(persons, to_image))), to_image, flipped)
            self.store.write_shard(
                shard,
                (piece[:, 0] for piece in maps),
                crops=crops.jpeg if crops else None,
                crop_pixel_to_image=crops.to_image if crops else None,
                crop_size=crops.size if crops else None,
                views=views,
            )
        return len(rows)

    def stop(self) -> None:
        """Have every shard that is being made dropped at its next batch, with Stopped."""
        self._stop.set()

    def _maps(
        self, persons: Instances, to_image: Matrix, stored: StoredCrops | None = None
    ) -> Generator[Maps, None, None]:
        """Heatmaps (B, V, 17, h, w) in row order of the V crops a person that `to_image` (n, V, 2, 3) cuts.

        stored: is filled on the way, while a photo is at hand.
        """
        photos = [list(rows) for _, rows in groupby(range(len(persons)), key=persons.file_name.__getitem__)]
        batches = Batches(len(persons), self.batch_size, to_image.shape[1], self.teacher.input_size)

        def cut_persons(rows: list[int]) -> int:
            height, width = persons.image_size[rows[0]].tolist()
            image = read_image(self.images / persons.file_name[rows[0]], (height, width))
            if stored:
                for row in rows:
                    stored.add(row, image, persons.box[row])
            image = four_channels(image)
            for row in rows:
                for matrix, crop in zip(to_image[row], batches.of(row), strict=True):
                    cut(image, matrix, self.teacher.input_size, out=crop)
            return len(rows)

        with (
            self._turn,
            closing(in_order(cut_persons, photos, self.readers)) as cut_rows,
            # one thread, so batches come in order; it is ahead, so maps are encoded while the teacher works
            closing(in_order(lambda n: self._teach(batches.take(n, cut_rows)), range(len(batches)), 1)) as maps,
        ):
            yield from maps

    def _teach(self, crops: Crops) -> Maps:
        """Heatmaps (B, V, 17, h, w) of crops (B, V, H, W, 3)."""
        if self._stop.is_set():
            raise Stopped
        start = time.perf_counter()
        maps = np.asarray(self.teacher(crops.reshape(-1, *crops.shape[2:])), np.float32)
        self.seconds_in_teacher += time.perf_counter() - start
        self.progress(len(crops) * crops.shape[1] / (1 + self.store.spec.views))
        return maps.reshape(*crops.shape[:2], *maps.shape[1:])


def sample_geometry(
    persons: Instances, rows: NDArray[np.integer], count: int, teacher: PoseNetwork
) -> tuple[Matrix, NDArray[np.bool_]]:
    """crop_to_image (n, K, 2, 3) and flipped (n, K) of K random views a person."""
    sampled = [
        sample_views(
            persons.box, persons.keypoints, persons.visibility, rows, RECIPES[VIEWS_RECIPE], seed=VIEWS_SEED, epoch=k,
            input_size=teacher.input_size, frame=teacher.frame,
        )
        for k in range(count)
    ]  # fmt: skip
    return np.stack([v.crop_to_image for v in sampled], 1), np.stack([v.flipped for v in sampled], 1)
