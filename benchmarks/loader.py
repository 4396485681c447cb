"""The input path of training on real photos: kdcache's loader beside the usual torch DataLoader.

    python benchmarks/loader.py [--data ../shared/data/coco] [--batches 20]

Both make batches of augmented images (256x192, normalised), Gaussian targets and the teacher's maps in the same view,
on the CPU. The usual loader: 2 worker processes; cv2.imread of the whole photo, cv2.warpAffine, targets in numpy, one
float16 .npy a person warped by the same affine; its random views are drawn beforehand. Ours: a store with crops, 2
threads, replay by `peaks`; `jpeg` decodes a crop for every view, `memory` only in the first epoch (`train.pixels`). The
first epoch also finds the peaks of each row. The table shows CPU time of all threads and processes, an instance, from a
warm page cache, without start-up. The teacher's maps are Gaussians at the annotated joints: they cost as much as any
teacher's.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measured import at_least, hand_on
from numpy.typing import NDArray
from tabulate import tabulate

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.crops import CropPolicy, encode_crop
from cache_tools.geometry import apply, cell_to_crop, compose, crop_to_image, invert
from cache_tools.images import read_image
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches.augment import sample_views
from student.batches.loader import TrainLoader
from student.batches.pixel_source import PixelSource
from student.batches.plan import plan_batch
from student.batches.stream import StreamSettings
from student.heatmaps.patches import PatchCodec, replay_codes
from student.heatmaps.targets import render_targets
from student.normalise import IMAGENET_MEAN, IMAGENET_STD, normalise_each
from student.settings import Pixels

INPUT, CELLS, SIGMA = (256, 192), (64, 48), 2.0
MEAN, STD = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
REAL = Path(os.environ.get("KDCACHE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "coco"
#: what a stage's name says that later epochs do not have
FIRST = "first epoch"
#: batches that are not timed
WARM_UP = 3
STREAM = StreamSettings(
    input_size=INPUT,
    heatmap_size=CELLS,
    sigma=SIGMA,
    augment=recipe("vitpose"),
    replay="peaks",
    live=False,
    batch_size=32,
    epochs=10,
    seed=0,
    max_rows=None,
    workers=2,
)


def main() -> None:
    """Make both stores, run both loaders, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--batches", type=int, default=20, help="of 32 persons, a loader")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = persons_of(options.data)
    photos = options.data / "train"
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder) / "store.zarr", table, photos)
        maps = store.read(np.arange(store.rows)).astype(np.float16)
        for row in range(store.rows):
            np.save(Path(folder) / f"{row}.npy", maps[row])
        del maps
        usual = usual_seconds(table, photos, Path(folder), options.batches)
        ours = {
            f"kdcache, {pixels}, {epoch} epoch": seconds
            for pixels in ("jpeg", "memory")
            for epoch, seconds in zip(("first", "later"), our_seconds(store, pixels, options.batches), strict=True)
        }
        stages = stage_seconds(store, options.batches)
        for_gpu = seconds_for_gpu(store, options.batches)
    print(f"{store.rows} persons in {len(set(table.file_name))} photos, batches of {STREAM.batch_size}, 2 workers each")
    loaders = {"torch DataLoader, 2 processes": usual, **ours}
    rows = [(name, f"{1e3 * s:.2f}", f"{1 / s:.0f}", f"{usual / s:.2f}") for name, s in loaders.items()]
    print("\n" + aligned(["", "CPU-ms an instance", "instances a CPU-second", "times as fast"], rows))
    later = ours["kdcache, memory, later epoch"]
    stages["rest: copies, threads, the ring"] = later - sum(s for name, s in stages.items() if FIRST not in name)
    rows = [(name, f"{1e3 * seconds:.3f}", f"{seconds / later:.0%}", "") for name, seconds in stages.items()]
    print("\n" + aligned(["stages of ours, one thread", "CPU-ms an instance", "of a later epoch", ""], rows))
    print("\nwhere a GPU cuts the views and makes targets and maps, CPU-ms an instance:")
    print("  ".join(f"{pixels} {1e3 * seconds:.2f}" for pixels, seconds in for_gpu.items()))
    fast = "times as fast as a DataLoader"
    hand_on([at_least(f"{name}: {fast}", usual / s, 3, "x") for name, s in ours.items() if FIRST not in name])


def aligned(heads: list[str], rows: list[tuple[str, str, str, str]]) -> str:
    """Return a table with names to the left and numbers to the right."""
    columns = ("left", "right", "right", "right")
    return tabulate(rows, heads, tablefmt="plain", disable_numparse=True, colalign=columns)


def persons_of(data: Path) -> Instances:
    """Read the persons of the real photos in `data`; end the benchmark with a message where there are none."""
    annotations = data / "person_keypoints_train.json"
    if not annotations.is_file():
        print(f"nothing measured: no real photos at {data}; set KDCACHE_TEST_DATA, or give --data")
        raise SystemExit(0)
    return read_coco(annotations)


def make_store(url: Path, table: Instances, photos: Path) -> HeatmapStore:
    """Write a compact store with crops, as `kdcache build` does."""
    policy = CropPolicy()
    spec = make_spec(table, TeacherSpec("gaussians", "0" * 64), skeleton=COCO, crops=CropsSpec.of(policy))
    store = HeatmapStore.create(url, spec, table)
    for shard in store.pending():
        rows = np.array(store.shard_rows(shard))
        crops = [encode_crop(read_image(photos / table.file_name[r]), table.box[r], policy) for r in rows]
        xy = apply(invert(compose(store.cell_to_crop, store.crop_to_image[rows])), table.keypoints[rows])
        labelled = torch.from_numpy(table.visibility[rows] > 0)
        maps = render_targets(torch.from_numpy(xy), CELLS, SIGMA) * labelled[..., None, None]
        content = store.new_shard(shard)
        content.add(rows, maps.numpy(), crops)
        store.write_shard(content)
    store.finalize()
    return HeatmapStore.open(url)


def our_seconds(store: HeatmapStore, pixels: Pixels, batches: int) -> tuple[float, float]:
    """Return the CPU seconds an instance of our loader, in the first epoch and in later ones."""
    epoch = -(-store.rows // STREAM.batch_size)
    batches = min(batches, epoch - WARM_UP)
    with TrainLoader([store], replace(STREAM, pixels=pixels)) as loader:
        seconds = []
        for start in (0, epoch):
            for _ in loader.batches(start, start + WARM_UP):
                pass
            if start:
                for _ in loader.batches(WARM_UP + batches, epoch):
                    pass
            began = time.process_time()
            for _ in loader.batches(start + WARM_UP, start + WARM_UP + batches):
                pass
            seconds.append((time.process_time() - began) / (batches * STREAM.batch_size))
    return seconds[0], seconds[1]


class UsualDataset(torch.utils.data.Dataset[tuple[NDArray[np.floating], ...]]):
    """The work that pose repositories do in __getitem__."""

    def __init__(self, table: Instances, photos: Path, maps: Path) -> None:
        self.table, self.photos, self.maps, self.cells = table, photos, maps, cell_to_crop("udp", INPUT, CELLS)
        self.plain = crop_to_image(table.box)
        rows = np.arange(len(table))
        self.views = sample_views(
            table.box, table.keypoints, table.visibility, rows, STREAM.augment, skeleton=COCO, input_size=INPUT
        )

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> tuple[NDArray[np.floating], ...]:
        table, to_image, flipped = self.table, self.views.crop_to_image[row], self.views.flipped[row]
        photo = cv2.imread(str(self.photos / table.file_name[row]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert photo is not None
        photo = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
        crop = cv2.warpAffine(photo, invert(to_image), INPUT[::-1], flags=cv2.INTER_LINEAR)
        image = (crop.astype(np.float32) / 255 - MEAN) / STD
        xy = apply(invert(compose(self.cells, to_image)), table.keypoints[row])
        visible = table.visibility[row] > 0
        if flipped:
            xy, visible = xy[np.array(COCO.mirror)], visible[np.array(COCO.mirror)]
        y, x = np.arange(CELLS[0], dtype=np.float32)[:, None], np.arange(CELLS[1], dtype=np.float32)
        targets = np.zeros((17, *CELLS), np.float32)
        for joint in np.flatnonzero(visible):
            targets[joint] = np.exp(-((x - xy[joint, 0]) ** 2 + (y - xy[joint, 1]) ** 2) / (2 * SIGMA**2))
        maps = np.load(self.maps / f"{row}.npy").astype(np.float32)
        to_teacher = compose(self.cells, to_image, invert(self.plain[row]), invert(self.cells))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = [cv2.warpAffine(one, to_teacher, CELLS[::-1], flags=flags) for one in maps]
        teacher = np.stack(warped).astype(np.float32, copy=False)
        if flipped:
            teacher = teacher[np.array(COCO.mirror)]
        return image.transpose(2, 0, 1).copy(), targets, visible.astype(np.float32), teacher


def usual_seconds(table: Instances, photos: Path, maps: Path, batches: int) -> float:
    """Return the CPU seconds an instance of the usual loader in all its processes, less a run of three batches."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    seconds: list[float] = []
    for count in (3, 3 + batches):
        process = context.Process(target=_run_usual, args=(table, photos, maps, count, results))
        process.start()
        seconds.append(float(results.get()))
        process.join()
    return (seconds[1] - seconds[0]) / (batches * STREAM.batch_size)


def _run_usual(table: Instances, photos: Path, maps: Path, batches: int, results: Any) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    data = UsualDataset(table, photos, maps)
    rows = np.random.default_rng(0).integers(0, len(data), batches * STREAM.batch_size).tolist()
    before = _cpu_seconds()
    loader: Any = torch.utils.data.DataLoader(data, STREAM.batch_size, sampler=rows, num_workers=2)
    for _ in loader:
        pass
    del loader
    results.put(_cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def stage_seconds(store: HeatmapStore, batches: int) -> dict[str, float]:
    """Return the CPU seconds an instance of each stage of our path, one after the other in this thread."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began = time.thread_time()
        result = work(*arguments)
        seconds[name] = seconds.get(name, 0.0) + time.thread_time() - began
        return result

    pixels = np.empty((STREAM.batch_size, *INPUT, 3), np.uint8)
    with TrainLoader([store], replace(STREAM, pixels="memory")) as loader:
        cache, source = loader.caches[0], loader.pixels
        patches = PatchCodec.of(cache.codec, CELLS, teacher_sigma=SIGMA, student_sigma=SIGMA)
        # kept already: cutting is timed by itself
        for number in range(batches):
            rows, epochs = loader.sampler.batch(number)
            plan = plan_batch(STREAM, store.instances, rows, epochs, COCO)
            source.cut(rows, [(plan.view_to_image, pixels)])
        for number in range(batches):
            rows, epochs = loader.sampler.batch(number)
            plan = timed("sample views, compose matrices", plan_batch, STREAM, store.instances, rows, epochs, COCO)
            timed(f"read and decode JPEG ({FIRST})", decode_crops, source, rows)
            timed("cut the views from kept pixels", source.cut, rows, [(plan.view_to_image, pixels)])
            timed("normalise", normalise_each, torch.from_numpy(pixels))
            timed("targets", render_targets, torch.from_numpy(plan.xy_cells), CELLS, SIGMA)
            codes = timed("take the teacher's codes", lambda all_rows: torch.from_numpy(cache.codes(all_rows)), rows)
            peaks = torch.from_numpy(timed(f"find their peaks ({FIRST})", cache.peaks, rows))
            matrices, flipped = torch.from_numpy(cache.matrices(plan)), torch.from_numpy(plan.flipped)
            replay = partial(replay_codes, mirror=COCO.mirror)
            timed("replay them in the view", replay, codes, patches, peaks, matrices, flipped, CELLS)
    return {name: total / (batches * STREAM.batch_size) for name, total in seconds.items()}


def seconds_for_gpu(store: HeatmapStore, batches: int) -> dict[Pixels, float]:
    """Return the CPU seconds an instance that are left where a GPU cuts the views: the plan, and what it does not hold.

    Of later epochs, by where pixels are kept.
    """
    seconds: dict[Pixels, float] = {}
    places: tuple[Pixels, ...] = ("jpeg", "memory", "device")
    for pixels in places:
        with TrainLoader([store], replace(STREAM, pixels=pixels), cut_on_device=True) as loader:
            (slot, *_) = loader._ring
            for timed in (False, True):
                began = time.thread_time()
                for number in range(batches):
                    loader._fill(slot, number)
                    if not timed:
                        assert slot.plan is not None
                        loader.views.receive(slot, slot.plan)
            seconds[pixels] = (time.thread_time() - began) / (batches * STREAM.batch_size)
    return seconds


def decode_crops(source: PixelSource, rows: NDArray[np.int64]) -> None:
    """Read and decode crops as they are stored."""
    for row, size in zip(rows.tolist(), source.store.read_crop_sizes(rows).tolist(), strict=True):
        source.decode(row, 1, np.empty((*size, 3), np.uint8))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
