"""Build a store of COCO's size: 149,813 persons in 56,599 photos by the oracle, two workers.

    python benchmarks/scale.py [--rows 149813] [--workers 2] [--folder DIR] [--crops]

Prints the store's size, the CPU time a row outside the teacher and how much of that is photos and crops, the peak
memory of a process, and what it costs to open the store and hold it in memory. Photos are 64 small files under many
names: measured is what grows with rows, that is cutting, codec, compression, ledger, and with --crops the crops' JPEG
files, which are small here as the photos are. (A photo of COCO's size takes about 4 ms to read, once for its 2.6
persons.)
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, four_channels, read_image
from pipeline.teachers.oracle import OracleTeacher

INPUT = OracleTeacher.input_size
PERSONS_A_PHOTO = 149_813 / 56_599
PHOTO_FILES, PHOTO_SIZE = 64, (120, 160)
#: crops a pass of the teacher, as in a build
BATCH = 32
OPEN = """
import math, sys, time
import numpy as np
from cache_tools.store.writer import HeatmapStore
def cpu(): return time.process_time()
start = cpu()
store = HeatmapStore.open(sys.argv[1])
opened = cpu() - start
start = cpu()
fresh = np.zeros(math.prod(store.heatmaps.shape), store.heatmaps.dtype)
fresh[::4096] = 1
paged = cpu() - start
del fresh
start = cpu()
store.load()
loaded = cpu() - start
# not ru_maxrss: after vfork and exec it includes the memory of the parent
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) / 1024
print(f"open {opened:.2f} CPU-s, hold in memory {loaded:.2f} CPU-s, {peak:,.0f} MB of memory")
print(f"(this machine took {paged:.2f} CPU-s to hand a process as much empty memory just before)")
"""


#: what a Dask worker opens: the persons of a shard come with the shard
OPEN_AS_WORKER = """
import sys, time
from cache_tools.store.writer import HeatmapStore
def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) / 1024
start, before = time.process_time(), peak()
HeatmapStore.open(sys.argv[1], mode="r+", table=sys.argv[2] == "whole")
print(f"open with {sys.argv[2]} table: {time.process_time() - start:.2f} CPU-s, {peak() - before:,.0f} MB")
"""


def main() -> None:
    """Build, then measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=149_813)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="Keep the data here; a store.zarr in it is replaced.")
    parser.add_argument("--crops", action="store_true", help="Store each person's crop as well.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        annotations = write_data(folder, arguments.rows)
        command = [
            sys.executable, "-m", "pipeline.cli", "build", str(folder / "store.zarr"),
            "--crops" if arguments.crops else "--no-crops",
            "--teacher", "oracle", "--images", str(folder), "--annotations", str(annotations),
            "--workers", str(arguments.workers),
        ]  # fmt: skip
        shutil.rmtree(folder / "store.zarr", ignore_errors=True)
        start, before = time.perf_counter(), children_cpu()
        subprocess.run(command, check=True)
        seconds, cpu = time.perf_counter() - start, children_cpu() - before
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        photos, teacher = photos_and_teacher_cpu(folder, annotations)
        outside = cpu / arguments.rows * 1e3 - teacher
        print(f"{arguments.rows:,} rows in {seconds:.0f} s, {arguments.workers} workers; {cpu:.0f} CPU-s in all")
        print(
            f"outside the teacher (itself {teacher:.2f} CPU-ms a row): {outside:.2f} CPU-ms a row, of which photos and "
            f"crops are {photos:.2f}, and the store with all else {outside - photos:.2f} "
            "(teacher, photos and crops measured apart)"
        )
        print(f"largest process: {peak:,.0f} MB")
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"build again, with nothing to do: {time.perf_counter() - start:.1f} s, imports included")
        subprocess.run([sys.executable, "-c", OPEN, str(folder / "store.zarr")], check=True)
        for table in ("whole", "no"):
            subprocess.run([sys.executable, "-c", OPEN_AS_WORKER, str(folder / "store.zarr"), table], check=True)


def write_data(folder: Path, rows: int) -> Path:
    """Write small photos, and annotations of `rows` persons in photos that are these under many ids."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    height, width = PHOTO_SIZE
    for index in range(PHOTO_FILES):
        coarse = generator.integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index}.jpg"), cv2.resize(coarse, (width, height)))
    photos = max(1, round(rows / PERSONS_A_PHOTO))
    image_of = np.sort(generator.integers(0, photos, rows))
    xy = generator.uniform(0, 0.5, (rows, 2)) * [width, height]
    size = generator.uniform(0.2, 0.5, (rows, 2)) * [width, height]
    points = xy[:, None] + generator.uniform(0, 1, (rows, 17, 2)) * size[:, None]
    images = [{"id": i, "file_name": f"{i % PHOTO_FILES}.jpg", "height": height, "width": width} for i in range(photos)]
    labelled = np.concatenate([points.round(1), np.full((rows, 17, 1), 2)], axis=2).reshape(rows, -1)
    annotations = [
        {
            "id": row, "image_id": int(image_of[row]), "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
            "bbox": [*xy[row].round(2).tolist(), *size[row].round(2).tolist()], "keypoints": labelled[row].tolist(),
            "area": float(size[row].prod().round(2)),
        }
        for row in range(rows)
    ]  # fmt: skip
    path = folder / "person_keypoints_scale.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def photos_and_teacher_cpu(folder: Path, annotations: Path, sample: int = 8192) -> tuple[float, float]:
    """Return the CPU milliseconds a row of photos and crops, and of the teacher, by the functions of a build."""
    cv2.setNumThreads(1)
    persons = read_coco(annotations).take(slice(0, sample))
    to_image, crops = crop_to_image(persons.box, "udp", INPUT), np.empty((len(persons), *INPUT, 3), np.uint8)
    # the memory is mapped before the clock runs
    crops[:] = 0
    start = time.process_time()
    for name, rows in groupby(range(len(persons)), key=persons.file_name.__getitem__):
        photo = four_channels(read_image(folder / name))
        for row in rows:
            cut(photo, to_image[row], INPUT, out=crops[row])
    photos = time.process_time() - start
    teacher, start = OracleTeacher(), time.process_time()
    for first in range(0, len(crops), BATCH):
        teacher(crops[first : first + BATCH])
    return photos / len(persons) * 1e3, (time.process_time() - start) / len(persons) * 1e3


def children_cpu() -> float:
    """Return the CPU seconds of every process that was started and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
