"""A build that takes a second: generated photos, three shards, in this process or in one that a test can kill."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.building.job import BuildJob

ROWS, SHARD_ROWS = 44, 16


def write_photos(folder: Path, rows: int = ROWS) -> Path:
    """Write photos of coloured noise and annotations of persons in them, about three a photo; return their path."""
    generator = np.random.default_rng(3)
    images, annotations = [], []
    for row in range(rows):
        if row % 3 == 0:
            name, (height, width) = f"{row:03}.jpg", generator.integers(90, 160, 2).tolist()
            coarse = generator.integers(0, 256, (height // 6, width // 6, 3)).astype(np.uint8)
            cv2.imwrite(str(folder / name), cv2.resize(coarse, (width, height)))
            images.append({"id": 1000 - row, "file_name": name, "height": height, "width": width})
        x, y = generator.uniform(0, 40, 2).round(1).tolist()
        keypoints = np.concatenate([generator.uniform(10, 80, (17, 2)).round(1), np.full((17, 1), 2)], 1)
        annotations.append(
            {
                "id": 7 * row + 1, "image_id": images[-1]["id"], "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
                "bbox": [x, y, 40.0, 60.0], "area": 1800.0, "keypoints": keypoints.ravel().tolist(),
            }
        )  # fmt: skip
    path = folder / "persons.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def small_job(folder: Path) -> BuildJob:
    """Return a build of three shards by the oracle."""
    photos = folder / "photos"
    photos.mkdir()
    return BuildJob(
        store=str(folder / "store.zarr"),
        teacher="oracle",
        images=photos,
        annotations=write_photos(photos),
        shard_rows=SHARD_ROWS,
        batch_size=5,
    )


def slow(job: BuildJob, seconds_per_crop: float) -> BuildJob:
    """Return the same build by an oracle that takes its time, to be stopped at work; its store is the same."""
    return replace(job, teacher=f"oracle?seconds_per_crop={seconds_per_crop}")


def content(store: str) -> dict[str, bytes]:
    """Return every file of a store."""
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(Path(store).rglob("*")) if p.is_file()}


def arguments(job: BuildJob, *more: str) -> list[str]:
    """Return the build's command line, without `kdcache`."""
    return [
        "build", job.store, "--teacher", job.teacher, "--images", str(job.images), "--annotations",
        str(job.annotations), "--shard-rows", str(job.shard_rows), "--batch-size", str(job.batch_size), *more,
    ]  # fmt: skip


def run_build(job: BuildJob, *more: str) -> subprocess.Popen[str]:
    """Start the same build in a separate process."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments(job, *more)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_shard(job: BuildJob, process: subprocess.Popen[str]) -> None:
    """Wait until a shard is done."""
    while not list(Path(job.store).glob("ledger/*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
