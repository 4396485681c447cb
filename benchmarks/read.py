"""Read random batches of heatmaps as float32 on the CPU: kdcache's store beside the usual file formats.

    python benchmarks/read.py [--store STORE] [--rows 2000] [--rounds 5]

Every format holds the same rows: those of STORE decoded, or rendered peaks with a faint ripple like a teacher's. Each
round reads the same batches from each format in turn, from a warm page cache; the table shows CPU time of all threads.
Files are in a temporary folder (about 1 GB at 2,000 rows). The last column says how many times cheaper a row is than in
the folder of .npy.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch
import zarr
from measured import Row, at_least, hand_on
from numpy.typing import NDArray

from cache_tools.codec.fit_windows import fit_windows, rows_to_fit
from cache_tools.instances import Instances
from cache_tools.skeletons import COCO
from cache_tools.store.spec import FrameSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.report.markdown import markdown_table

BATCH = 128
Maps = NDArray[np.float32]
Reader = Callable[[NDArray[np.int64]], Maps]
#: name -> how many times cheaper than the folder of .npy a row should be
TARGETS = {"kdcache exact8": 3.0, "kdcache compact, in memory": 1.9}


def main() -> None:
    """Write every format, read the same batches from each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="take the heatmaps of this store")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=8, help="of 128 rows, a round")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    maps = store_maps(arguments.store, arguments.rows) if arguments.store else rendered_maps(arguments.rows, rng)
    with tempfile.TemporaryDirectory() as folder:
        readers = all_readers(Path(folder), maps)
        milliseconds: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(arguments.rounds):
            batches = [rng.integers(0, len(maps), BATCH) for _ in range(arguments.batches)]
            for name, (_, read) in readers.items():
                start = time.process_time()
                for rows in batches:
                    read(rows)
                milliseconds[name].append((time.process_time() - start) / len(batches) / BATCH * 1e3)
        for name, (_, read) in readers.items():
            error = np.abs(read(batches[0]) - maps[batches[0]]).max()
            assert error < 0.2, f"{name} reads other heatmaps: off by {error}"
    print_table({name: bytes_per_row for name, (bytes_per_row, _) in readers.items()}, milliseconds, len(maps))


def store_maps(url: str, rows: int) -> Maps:
    """Read the first `rows` rows of a store, decoded."""
    store = HeatmapStore.open(url)
    return store.read(np.arange(min(rows, store.rows)))


def rendered_maps(rows: int, rng: np.random.Generator) -> Maps:
    """Render heatmaps (rows, 17, 64, 48) of one peak a joint, sigma 2, over a ripple of +-0.005."""
    y, x = np.arange(64, dtype=np.float32)[:, None], np.arange(48, dtype=np.float32)
    maps = np.empty((rows, 17, 64, 48), np.float32)
    for row in maps:
        centre_y, centre_x = rng.uniform(0, 63, (17, 1, 1)), rng.uniform(0, 47, (17, 1, 1))
        row[:] = np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / 8) * rng.uniform(0.5, 1, (17, 1, 1))
        row += 0.005 * np.sin(y / 3 + centre_x) * np.sin(x / 3 + centre_y)
    return maps


def all_readers(folder: Path, maps: Maps) -> dict[str, tuple[float, Reader]]:
    """Write each format; return its bytes a row and a reader."""
    readers: dict[str, tuple[float, Reader]] = {".npy a row, float16": npy_folder(folder / "npy", maps)}
    readers[".pt a row, float16"] = pt_folder(folder / "pt", maps)
    readers["HDF5, float16, gzip, chunk a row"] = hdf5(folder / "gzip.h5", maps, compression="gzip")
    readers["HDF5, float16, chunk a row"] = hdf5(folder / "plain.h5", maps)
    readers["zarr-python, float16, chunk a row"] = zarr_python(folder / "plain.zarr", maps)
    for codec in ("exact8", "compact", "windows"):
        store = kdcache_store(folder / codec, maps, codec)
        receipt = store.read_receipt()
        size = receipt["bytes_per_row"]["heatmaps"] if receipt else 0
        readers[f"kdcache {codec}, from disk"] = (size, store.read)
        loaded = HeatmapStore.open(folder / codec)
        loaded.load()
        readers[f"kdcache {codec}, in memory"] = (size, loaded.read)
    return readers


def npy_folder(folder: Path, maps: Maps) -> tuple[float, Reader]:
    """Write one float16 .npy file a row."""
    folder.mkdir()
    for row, values in enumerate(maps):
        np.save(folder / f"{row}.npy", values.astype(np.float16))

    def read(rows: NDArray[np.int64]) -> Maps:
        return np.stack([np.load(folder / f"{row}.npy") for row in rows]).astype(np.float32)

    return bytes_per_row(folder, maps), read


def pt_folder(folder: Path, maps: Maps) -> tuple[float, Reader]:
    """Write one float16 tensor a row, by torch.save."""
    folder.mkdir()
    for row, values in enumerate(maps):
        torch.save(torch.from_numpy(values).half(), folder / f"{row}.pt")

    def read(rows: NDArray[np.int64]) -> Maps:
        return np.asarray(torch.stack([torch.load(folder / f"{row}.pt") for row in rows]).float().numpy())

    return bytes_per_row(folder, maps), read


def hdf5(path: Path, maps: Maps, compression: str | None = None) -> tuple[float, Reader]:
    """Write one HDF5 data set, a chunk a row; read it row by row, which is much faster than h5py's list of rows."""
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "heatmaps", data=maps.astype(np.float16), chunks=(1, *maps.shape[1:]), compression=compression
        )
    data = h5py.File(path, "r")["heatmaps"]
    return path.stat().st_size / len(maps), lambda rows: np.stack([data[r] for r in rows]).astype(np.float32)


def kdcache_store(folder: Path, maps: Maps, codec: str) -> HeatmapStore:
    """Write a finished store of these maps."""
    n = len(maps)
    table = Instances(
        annotation_id=np.arange(n, dtype=np.int64),
        image_id=np.arange(n, dtype=np.int64),
        box=np.tile([0.0, 0.0, 192.0, 256.0], (n, 1)),
        area=np.ones(n),
        keypoints=np.zeros((n, 17, 2)),
        visibility=np.zeros((n, 17), np.uint8),
        image_size=np.full((n, 2), 256, np.int32),
        file_name=("photo.jpg",) * n,
    )
    spec = make_spec(table, TeacherSpec("benchmark", "none"), skeleton=COCO, frame=FrameSpec(), codec=codec)
    windows = None
    if codec == "windows":
        windows = fit_windows(maps[rows_to_fit(n, len(COCO))], spec.frame.sigma).codec
        spec = replace(spec, basis=windows.digest)
    store = HeatmapStore.create(folder, spec, table, windows)
    for shard in store.pending():
        content = store.new_shard(shard)
        content.add(content.rows, maps[content.rows.start : content.rows.stop])
        store.write_shard(content)
    store.finalize()
    return HeatmapStore.open(folder)


def zarr_python(folder: Path, maps: Maps) -> tuple[float, Reader]:
    """Write a plain zarr array with its default compressor; read it by a list of rows."""
    array = zarr.create_array(folder, shape=maps.shape, chunks=(1, *maps.shape[1:]), dtype="float16")
    array[:] = maps.astype(np.float16)
    return array.nbytes_stored() / len(maps), lambda rows: np.asarray(array.oindex[rows], np.float32)


def bytes_per_row(folder: Path, maps: Maps) -> float:
    """Return the size of the files' contents; a file system's blocks are larger."""
    return sum(f.stat().st_size for f in folder.iterdir()) / len(maps)


def print_table(sizes: dict[str, float], milliseconds: dict[str, list[float]], rows: int) -> None:
    """Print medians over the rounds, and the ratio to the first format within each round."""
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{rows} rows, batches of {BATCH}, {os.cpu_count()} cores, OMP_NUM_THREADS={threads}, {platform.machine()}\n")
    baseline = np.array(next(iter(milliseconds.values())))
    lines = []
    for name, times in milliseconds.items():
        ratio = np.median(baseline / np.array(times))
        lines.append([name, f"{sizes[name]:,.0f}", f"{np.median(times):.3f}", f"{ratio:.2f}"])
    print(markdown_table(["format", "bytes/row", "CPU-ms/row", "x .npy"], lines))
    hand_on([compared(name, float(np.median(baseline / np.array(times)))) for name, times in milliseconds.items()])


def compared(name: str, times: float) -> Row:
    """Return how many times cheaper a row is than in the folder of .npy, beside the target of kdcache's formats."""
    what = f"{name}: times cheaper to read than .npy"
    target = next((target for start, target in TARGETS.items() if name.startswith(start)), None)
    return Row(what, times, "x") if target is None else at_least(what, times, target, "x")


if __name__ == "__main__":
    main()
