"""Size and speed of a store by the number of joints: 6, 17, 68, 133 and 294 of them.

    python benchmarks/joints.py [--joints 6,17,68,133,294] [--rows 256] [--codec compact] [--rounds 5]

Heatmaps are rendered: one peak of sigma 2 a joint in 64x48 cells, a quarter of them low, over a faint ripple like a
teacher's. CPU time is of this process
and all its threads, a row, the median over the rounds; files are read from a warm page cache, 128 random rows at once.
Sizes in memory are of one row's codes and float32 maps.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from measured import at_most, hand_on
from numpy.typing import NDArray

from cache_tools.codec.encode_maps import encode_maps
from cache_tools.codec.fit_windows import fit_windows, rows_to_fit
from cache_tools.instances import Instances
from cache_tools.skeletons import Skeleton
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.report.markdown import markdown_table

SIZE, SIGMA = (64, 48), 2.0
SURE, UNSURE, UNSURE_SHARE = 0.9, 0.2, 0.25
#: rows rendered, encoded and written at once, so that 294 joints need no gigabytes
SHARD_ROWS = 64
READ_ROWS = 128
Maps = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a store of a number of joints takes."""

    joints: int
    chunk_rows: int
    bytes_per_row: float
    #: bytes of one row in memory
    codes: int
    #: CPU milliseconds a row
    encode: float
    write: float
    read_codes: float
    read: float


def main() -> None:
    """Measure each number of joints and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joints", default="6,17,68,133,294", help="numbers with commas between")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--codec", default="compact")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = []
    for joints in map(int, arguments.joints.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found.append(
                measure(Path(folder) / "store.zarr", joints, arguments.rows, arguments.codec, arguments.rounds)
            )
    print_table(found, arguments.codec, arguments.rows)


def measure(path: Path, joints: int, rows: int, codec: str, rounds: int) -> Measured:
    """Write a store of `rows` rows, read it, and return what it took."""
    table = empty_labels(rows, joints)
    skeleton = Skeleton(names=tuple(f"joint-{number}" for number in range(joints)))
    spec = make_spec(
        table, TeacherSpec("rendered", "none"), skeleton=skeleton, frame=FrameSpec(), codec=codec, shard_rows=SHARD_ROWS
    )
    rng = np.random.default_rng(0)
    windows = None
    if codec == "windows":
        windows = fit_windows(rendered_maps(len(rows_to_fit(rows, joints)), joints, rng), SIGMA).codec
        spec = replace(spec, basis=windows.digest)
    store = HeatmapStore.create(path, spec, table, windows)
    encoding, writing = [], []
    for shard in store.pending():
        content = store.new_shard(shard)
        maps = rendered_maps(len(content.rows), joints, rng)
        ids = table.annotation_id[content.rows.start : content.rows.stop]
        start = time.process_time()
        encode_maps(store.codec, maps, ids)
        encoded = time.process_time()
        content.add(content.rows, maps)
        store.write_shard(content)
        writing.append((time.process_time() - encoded) * 1e3 / len(maps))
        encoding.append((encoded - start) * 1e3 / len(maps))
    receipt = store.finalize()
    opened = HeatmapStore.open(path)
    picked = [rng.integers(0, rows, READ_ROWS) for _ in range(rounds)]
    codes = opened.read_codes(picked[0])
    return Measured(
        joints=joints,
        chunk_rows=opened.spec.chunk_rows,
        bytes_per_row=receipt["bytes_per_row"]["heatmaps"],
        codes=codes.nbytes // READ_ROWS,
        encode=float(np.median(encoding)),
        write=float(np.median(writing)),
        read_codes=float(np.median([cpu_ms(opened.read_codes, at) for at in picked])) / READ_ROWS,
        read=float(np.median([cpu_ms(opened.read, at) for at in picked])) / READ_ROWS,
    )


def cpu_ms(read: Callable[[NDArray[np.int64]], object], rows: NDArray[np.int64]) -> float:
    """Return the CPU milliseconds that reading rows takes in all threads."""
    start = time.process_time()
    read(rows)
    return (time.process_time() - start) * 1e3


def rendered_maps(rows: int, joints: int, rng: np.random.Generator) -> Maps:
    """Return heatmaps (rows, joints, 64, 48) with one peak each, a quarter of them low, over a ripple of +-0.005."""
    centre = rng.uniform(0, 1, (2, rows, joints, 1)) * np.reshape(SIZE, (2, 1, 1, 1))
    peak = np.where(rng.uniform(size=(rows, joints, 1, 1)) < UNSURE_SHARE, UNSURE, SURE)
    down = np.exp(-((np.arange(SIZE[0]) - centre[0]) ** 2) / (2 * SIGMA**2))
    across = np.exp(-((np.arange(SIZE[1]) - centre[1]) ** 2) / (2 * SIGMA**2))
    maps: Maps = (peak * down[..., None] * across[..., None, :]).astype(np.float32)
    # a Gaussian's tails alone are denormal numbers, which no network puts out and which a CPU multiplies slowly
    ripple = 0.005 * np.sin(np.arange(SIZE[0]) / 3)[:, None] * np.sin(np.arange(SIZE[1]) / 3)
    maps += ripple.astype(np.float32)
    return maps


def empty_labels(rows: int, joints: int) -> Instances:
    """Return a table of persons without labels, which no measured time depends on."""
    return Instances(
        annotation_id=np.arange(rows, dtype=np.int64),
        image_id=np.arange(rows, dtype=np.int64),
        box=np.tile([0.0, 0.0, 192.0, 256.0], (rows, 1)),
        area=np.ones(rows),
        keypoints=np.zeros((rows, joints, 2)),
        visibility=np.zeros((rows, joints), np.uint8),
        image_size=np.full((rows, 2), 256, np.int32),
        file_name=("photo.jpg",) * rows,
    )


def print_table(found: list[Measured], codec: str, rows: int) -> None:
    """Print the table as Markdown."""
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{codec}, {rows} rows, {os.cpu_count()} cores, OMP_NUM_THREADS={threads}, {platform.machine()}")
    print(f"load average {os.getloadavg()[0]:.1f}; CPU-ms a row\n")
    float_mb = 4 * SIZE[0] * SIZE[1] / 1e6
    lines = [
        [
            str(one.joints),
            str(one.chunk_rows),
            f"{one.bytes_per_row:,.0f} ({one.bytes_per_row / one.joints:.1f})",
            f"{one.encode:.2f}",
            f"{one.write:.2f}",
            f"{one.read_codes:.3f}",
            f"{one.read:.2f}",
            f"{one.codes / 1e3:.0f} kB",
            f"{one.joints * float_mb:.2f} MB",
        ]
        for one in found
    ]
    headers = [
        "joints", "chunk rows", "bytes a row (a joint)", "encode", "encode, measure, write", "read codes",
        "read float32", "codes", "float32",
    ]  # fmt: skip
    print(markdown_table(headers, lines))
    few, many = found[0], found[-1]
    hand_on([
        at_most(f"bytes a joint, {many.joints} joints over {few.joints}",
                many.bytes_per_row / many.joints / (few.bytes_per_row / few.joints), 1.1, "x"),
        at_most(f"reading codes, a joint, {many.joints} joints over {few.joints}",
                many.read_codes / many.joints / (few.read_codes / few.joints), 1.1, "x"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
