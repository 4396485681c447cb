"""What every peer stores: real persons' crops as JPEG files and a teacher's heatmaps; kdcache's stores of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.codec.fit_windows import fit_windows, rows_to_fit
from cache_tools.crops import CropPolicy, encode_crop
from cache_tools.geometry import Matrix, compose, crop_to_image, invert
from cache_tools.images import cut, read_image
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.teachers.load import load_network
from student.augment_recipes import recipe
from student.batches.augment import sample_views
from student.network_output import heatmaps_of

INPUT = (256, 192)
#: crops a pass of the teacher
PASS = 32
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class PeerData:
    """Persons of a COCO file, their crops and heatmaps, and a folder to write to."""

    folder: Path
    photos: Path
    table: Instances
    teacher: str

    @cached_property
    def maps(self) -> Maps:
        """The teacher's heatmaps (N, 17, 64, 48)."""
        network = load_network(self.teacher, "cpu", threads=1)
        to_image = crop_to_image(self.table.box, network.frame, network.input_size)
        crops = np.stack([
            cut(read_image(self.photos / name), matrix, network.input_size)
            for name, matrix in zip(self.table.file_name, to_image, strict=True)
        ])  # fmt: skip
        passes = [heatmaps_of(network, crops[start : start + PASS]) for start in range(0, len(crops), PASS)]
        return np.clip(np.concatenate(passes), 0, 1)

    @cached_property
    def store(self) -> HeatmapStore:
        """The store that training reads: compact, with crops."""
        return self.write_store("compact", crops=True)

    @cached_property
    def crops(self) -> list[bytes]:
        """The JPEG file of each person's crop, as kdcache stores it."""
        return self.store.read_crops(np.arange(len(self.table)))

    def write_store(self, codec: str, *, crops: bool = False) -> HeatmapStore:
        """Write a finished store of all persons."""
        policy, table = CropPolicy(), self.table
        spec = make_spec(
            table,
            TeacherSpec("peers", "0" * 64),
            skeleton=COCO,
            frame=FrameSpec(),
            codec=codec,
            crops=CropsSpec.of(policy) if crops else None,
        )
        url = self.folder / f"{codec}{'-crops' if crops else ''}.zarr"
        windows = None
        if codec == "windows":
            windows = fit_windows(self.maps[rows_to_fit(len(table), len(COCO))], spec.frame.sigma).codec
            spec = replace(spec, basis=windows.digest)
        store = HeatmapStore.create(url, spec, table, windows)
        for shard in store.pending():
            content = store.new_shard(shard)
            rows = content.rows
            stored = [encode_crop(read_image(self.photos / table.file_name[r]), table.box[r], policy) for r in rows]
            content.add(rows, self.maps[rows.start : rows.stop], stored if crops else None)
            store.write_shard(content)
        store.finalize()
        return HeatmapStore.open(url)

    def views(self, epoch: int) -> Matrix:
        """Return the matrix (N, 2, 3) from view pixel to photo pixel of every person in an epoch."""
        table, rows = self.table, np.arange(len(self.table))
        sampled = sample_views(
            table.box, table.keypoints, table.visibility, rows, recipe("vitpose"), skeleton=COCO, epoch=epoch,
            input_size=INPUT,
        )  # fmt: skip
        return sampled.crop_to_image

    def views_in_crops(self, epoch: int) -> Matrix:
        """Return the matrix (N, 2, 3) from view pixel to the pixel of the stored crop."""
        matrices = self.store.read_crop_matrices(np.arange(len(self.table)))
        return compose(self.views(epoch), invert(matrices))

    def batch(self, most: int) -> int:
        """Return the rows of a batch: `most`, or fewer where an epoch would not have two of them."""
        return min(most, len(self.table) // 2)

    def order(self, epoch: int, batch: int) -> NDArray[np.int64]:
        """Return the rows of an epoch in random order, as whole batches (n, batch)."""
        rows = np.random.default_rng(epoch).permutation(len(self.table))
        return rows[: len(rows) // batch * batch].reshape(-1, batch)


def read_persons(annotations: Path, rows: int | None) -> Instances:
    """Return the persons of a COCO file, or the first `rows` of them."""
    table = read_coco(annotations)
    return table.take(slice(0, rows))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
