"""Read a large annotation file: 1,000,000 persons by default, in a process of its own.

    python benchmarks/annotations.py [--rows 1000000] [--folder DIR]

Prints the CPU time and the peak memory of `read_coco`, which reads and checks every annotation, and of json.load of the
same file. Workers of a build do not read it: scale.py prints what opening a store costs them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measured import Row, hand_on

from cache_tools.skeletons import COCO

#: different persons, repeated
PERSONS, PERSONS_A_PHOTO = 1000, 149_813 / 56_599
READ = """
import json, sys, time
from cache_tools.annotations.annotation_file import read_coco
def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) / 1024
start, before = time.process_time(), peak()
kept = read_coco(sys.argv[1]) if sys.argv[2] == "read_coco" else json.load(open(sys.argv[1], "rb"))
print(json.dumps([time.process_time() - start, peak() - before]))
"""


def main() -> None:
    """Write the file, read it in both ways, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="Keep the file here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / "annotations.json"
        write_annotations(path, options.rows)
        print(f"{options.rows:,} persons, {path.stat().st_size / 1e6:,.0f} MB")
        found = {name: read_by(name, path) for name in ("read_coco", "json.load")}
    for name, (seconds, megabytes) in found.items():
        print(f"{name}: {seconds:.1f} CPU-s, {megabytes:,.0f} MB")
    hand_on([
        Row(f"annotations of {options.rows:,} persons, {name}", seconds, "CPU-s", note=f"{megabytes:,.0f} MB")
        for name, (seconds, megabytes) in found.items()
    ])  # fmt: skip


def read_by(name: str, path: Path) -> tuple[float, float]:
    """Return the CPU seconds of reading in a new process, and the megabytes that its memory grew at most."""
    ended = subprocess.run([sys.executable, "-c", READ, str(path), name], check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(ended.stdout)
    return seconds, megabytes


def write_annotations(path: Path, rows: int) -> None:
    """Write a COCO keypoint file of so many persons."""
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.names), "skeleton": []}]
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"categories": {json.dumps(categories)}, "images": [')
        photos = int((rows - 1) / PERSONS_A_PHOTO) + 1
        for number in range(photos):
            comma = "" if number == photos - 1 else ","
            file.write(f'{{"id": {number}, "file_name": "{number:012d}.jpg", "width": 640, "height": 480}}{comma}')
        file.write('], "annotations": [')
        persons = list(random_persons())
        for number in range(rows):
            comma = "" if number == rows - 1 else ","
            photo = int(number / PERSONS_A_PHOTO)
            file.write(f'{{"id": {number}, "image_id": {photo}, {persons[number % PERSONS]}}}{comma}')
        file.write("]}")


def random_persons() -> Iterator[str]:
    """Yield what the annotations of different persons say besides their ids."""
    rng = np.random.default_rng(0)
    for _ in range(PERSONS):
        box = np.round(np.concatenate([rng.uniform(0, 200, 2), rng.uniform(100, 240, 2)]), 2)
        points = np.round(box[:2] + rng.uniform(0.1, 0.9, (17, 2)) * box[2:])
        keypoints = np.column_stack([points, np.full(17, 2)]).astype(int).ravel().tolist()
        entry = {
            "category_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": round(0.5 * float(box[2] * box[3]), 2),
            "bbox": box.tolist(), "keypoints": keypoints,
        }  # fmt: skip
        yield json.dumps(entry)[1:-1]


if __name__ == "__main__":
    main()
