"""Build a store of COCO's size: 149,813 persons in 56,599 photos by the oracle, two workers.

    python benchmarks/scale.py [--rows 149813] [--workers 2] [--folder DIR] [--crops]
    python benchmarks/scale.py --real [--rows 2864] [--workers 2]

Prints the store's size, the CPU time a row outside the teacher and how much of that is photos and crops, the peak
memory of a process, and what it costs to open the store and hold it in memory. Photos are 64 small files under many
names: measured is what grows with rows, that is cutting, codec, compression, ledger, and with --crops the crops' JPEG
files, which are small here as the photos are. --real builds from COCO's photos instead, repeated, without crops and
with them, and prints the stages of both.
"""

import argparse
import json
import os
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
from measured import at_most, hand_on

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.crops import CropPolicy, encode_planned, plan_crops
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, read_image
from pipeline.teachers.oracle import OracleTeacher

INPUT = OracleTeacher.input_size
REAL = Path(os.environ.get("KDCACHE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "coco"
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
    parser.add_argument("--rows", type=int, help="149,813 by default; with --real four times the persons of the photos")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="Keep the data here; a store.zarr in it is replaced.")
    parser.add_argument("--crops", action="store_true", help="Store each person's crop as well.")
    parser.add_argument("--real", action="store_true", help="Real photos, with and without crops.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if arguments.real:
            measure_real(folder, arguments.rows, arguments.workers)
            return
        rows = arguments.rows or 149_813
        annotations = write_data(folder, rows)
        command = build_command(folder, folder, annotations, arguments.workers, crops=arguments.crops)
        shutil.rmtree(folder / "store.zarr", ignore_errors=True)
        start, cpu = time.perf_counter(), cpu_of(command)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        stages, teacher = stages_and_teacher_cpu(folder, annotations, crops=arguments.crops)
        print(f"{rows:,} rows in {seconds:.0f} s, {arguments.workers} workers; {cpu:.0f} CPU-s in all")
        print(outside_text(cpu / rows * 1e3, stages, teacher))
        print(f"largest process: {peak:,.0f} MB")
        hand_on([
            at_most(f"build of {rows:,} rows: outside the teacher", cpu / rows * 1e3 - teacher, 0.5, "CPU-ms a row"),
            at_most(f"build of {rows:,} rows: largest process", peak, 1500, "MB"),
        ])  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"build again, with nothing to do: {time.perf_counter() - start:.1f} s, imports included")
        subprocess.run([sys.executable, "-c", OPEN, str(folder / "store.zarr")], check=True)
        for table in ("whole", "no"):
            subprocess.run([sys.executable, "-c", OPEN_AS_WORKER, str(folder / "store.zarr"), table], check=True)


def measure_real(folder: Path, rows: int | None, workers: int) -> None:
    """Build from real photos without crops and with them; print the CPU time a row of the stages of both.

    Each is built twice, from all rows and from a quarter of them: what starts and ends a build cancels out.
    """
    if not (REAL / "person_keypoints_train.json").is_file():
        print(f"nothing measured: no real photos at {REAL}; set KDCACHE_TEST_DATA")
        return
    for crops in (False, True):
        cpu: list[float] = []
        counts: list[int] = []
        for part in (4, 1):
            annotations, count = repeat_real(folder, rows, part)
            shutil.rmtree(folder / "store.zarr", ignore_errors=True)
            cpu.append(cpu_of(build_command(folder, REAL / "train", annotations, workers, crops=crops)))
            counts.append(count)
        stages, teacher = stages_and_teacher_cpu(REAL / "train", annotations, crops=crops)
        print(f"real photos, {counts[1]:,} rows, {'with' if crops else 'without'} crops, {workers} workers:")
        print(outside_text((cpu[1] - cpu[0]) / (counts[1] - counts[0]) * 1e3, stages, teacher), flush=True)


def repeat_real(folder: Path, rows: int | None, part: int) -> tuple[Path, int]:
    """Write annotations of real photos under many ids, 1 / part of `rows`; return their path and number of persons."""
    document = json.loads((REAL / "person_keypoints_train.json").read_text())
    persons = len(read_coco(REAL / "person_keypoints_train.json"))
    times = max(1, round((rows or 4 * persons) / persons / part))
    # far apart: rows are sorted by image id, and copies of a photo side by side would be read once
    apart = 10**9
    images, annotations = document["images"], document["annotations"]
    document["images"] = [image | {"id": image["id"] + k * apart} for k in range(times) for image in images]
    document["annotations"] = [
        person | {"id": person["id"] + k * apart, "image_id": person["image_id"] + k * apart}
        for k in range(times)
        for person in annotations
    ]
    path = folder / "person_keypoints_real.json"
    path.write_text(json.dumps(document))
    return path, times * persons


def build_command(folder: Path, images: Path, annotations: Path, workers: int, *, crops: bool) -> list[str]:
    """Return the command that builds by the oracle."""
    return [
        sys.executable, "-m", "pipeline.cli", "-q", "build", str(folder / "store.zarr"),
        "--crops" if crops else "--no-crops", "--teacher", "oracle", "--images", str(images),
        "--annotations", str(annotations), "--workers", str(workers),
    ]  # fmt: skip


def cpu_of(command: list[str]) -> float:
    """Run a command; return the CPU seconds of all its processes."""
    before = children_cpu()
    subprocess.run(command, check=True)
    return children_cpu() - before


def outside_text(total: float, stages: dict[str, float], teacher: float) -> str:
    """Return the CPU-ms a row outside the teacher and of its stages."""
    outside = total - teacher
    listed = ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in stages.items())
    return (
        f"outside the teacher (itself {teacher:.2f} CPU-ms a row): {outside:.2f} CPU-ms a row; {listed}, the store "
        f"with all else {outside - sum(stages.values()):.2f} (all but the sum measured apart)"
    )


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


def stages_and_teacher_cpu(
    images: Path, annotations: Path, *, crops: bool, sample: int = 2048
) -> tuple[dict[str, float], float]:
    """Return the CPU milliseconds a row of what a build does with photos, and of the teacher, by its functions."""
    cv2.setNumThreads(1)
    persons = read_coco(annotations).take(slice(0, sample))
    to_image, pixels = crop_to_image(persons.box, "udp", INPUT), np.empty((len(persons), *INPUT, 3), np.uint8)
    # the memory is mapped before the clock runs
    pixels[:] = 0
    seconds = dict.fromkeys(
        ("read and decode photos", *(["encode crops"] if crops else []), "cut for the teacher"), 0.0
    )
    policy, start = CropPolicy(), time.process_time()
    plan = plan_crops(persons.box, persons.image_size, policy)
    if crops:
        seconds["encode crops"] += time.process_time() - start
    for name, group in groupby(range(len(persons)), key=persons.file_name.__getitem__):
        rows, start = list(group), time.process_time()
        photo = read_image(images / name, channels=4)
        seconds["read and decode photos"] += (read := time.process_time()) - start
        if crops:
            for row in rows:
                encode_planned(photo, plan, row, policy)
            seconds["encode crops"] += time.process_time() - read
        start = time.process_time()
        for row in rows:
            cut(photo, to_image[row], INPUT, out=pixels[row])
        seconds["cut for the teacher"] += time.process_time() - start
    teacher, start = OracleTeacher(), time.process_time()
    for first in range(0, len(pixels), BATCH):
        teacher(pixels[first : first + BATCH])
    spent = time.process_time() - start
    return {name: total / len(persons) * 1e3 for name, total in seconds.items()}, spent / len(persons) * 1e3


def children_cpu() -> float:
    """Return the CPU seconds of every process that was started and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
