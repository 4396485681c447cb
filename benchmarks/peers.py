"""kdcache beside what people use instead, on real photos and a real teacher's heatmaps, in one run.

    python benchmarks/peers.py [--data ../shared/data] [--rows N] [--rounds 5] [--only WORD ...]

Two tables. Views: the same JPEG crops to augmented views of 256x192, the same random affine for every peer that can
rotate. Maps: 128 random rows of heatmaps to float32. CPU-ms of all threads a row, from a warm page cache, one thread or
worker each; later epochs are medians of rounds in which each peer reads in turn. `x kdcache` is a peer's later epochs
over kdcache's fastest in the same round; the target is 1 or more. Peers that are not installed are skipped, with the
reason: `pip install kdcache[bench]`, and MosaicML streaming and FFCV as pyproject.toml says there.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from measured import hand_on
from peer_formats.data import PeerData, read_persons
from peer_formats.maps import map_peers
from peer_formats.timing import HEADS, Batch, Peer, Timing, compared, measure, table_lines
from peer_formats.views import cut_jpeg, view_peers

from pipeline.report.markdown import markdown_table

REAL = Path(os.environ.get("KDCACHE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TEACHER = "teachers/tinypose_256x192.onnx"
#: largest median of the mean differences of views, in levels, and of maps
VIEW_TOLERANCE, MAP_TOLERANCE = 2.0, 0.2


def main() -> None:
    """Write every format, read from each, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REAL, help="with coco/ and teachers/, as KDCACHE_TEST_DATA")
    parser.add_argument("--teacher", help="another than PP-TinyPose of DATA, as kdcache build takes it")
    parser.add_argument("--rows", type=int, help="the first persons only")
    parser.add_argument("--rounds", type=int, default=5, help="later epochs")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only kdcache and the peers whose names hold a word")
    options = parser.parse_args()
    annotations = options.data / "coco" / "person_keypoints_train.json"
    if not annotations.is_file():
        print(f"nothing measured: no real photos at {options.data}; set KDCACHE_TEST_DATA, or give --data")
        return
    # as each of our threads does; peers start threads of their own otherwise
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    # of the peers' own code
    warnings.simplefilter("ignore")
    teacher = options.teacher or f"onnx:{options.data / TEACHER}?frame=stride"
    with tempfile.TemporaryDirectory() as folder:
        data = PeerData(Path(folder), options.data / "coco" / "train", read_persons(annotations, options.rows), teacher)
        _ = data.crops, data.maps
        photos = len(set(data.table.file_name))
        print(f"{len(data.table)} persons in {photos} photos; CPU-ms of all threads a row, one thread or worker each")
        peers = chosen(view_peers(data, 1 + options.rounds), options.only)
        print("\nJPEG crops to augmented views of 256x192:\n")
        show("views", measure(peers, options.rounds, view_check(data)))
        peers = chosen(map_peers(data), options.only)
        print("\nHeatmaps, 128 random rows to float32:\n")
        show("maps", measure(peers, options.rounds, map_check(data)))


def show(table: str, timings: list[Timing]) -> None:
    """Print a table and hand its rows on."""
    print(markdown_table(HEADS, table_lines(timings)), flush=True)
    hand_on(compared(table, timings))


def chosen(peers: list[Peer], words: list[str] | None) -> list[Peer]:
    """Return kdcache's rows and the peers whose names hold one of the words, or all."""
    return [p for p in peers if words is None or any(w.lower() in p.name.lower() for w in ("kdcache", *words))]


def view_check(data: PeerData) -> Callable[[str, Batch], None]:
    """Return the check that views are those of the same matrices, cut by OpenCV from the same crops."""
    matrices = data.views_in_crops(0)

    def check(name: str, batch: Batch) -> None:
        rows, views = batch
        expected = np.empty_like(views)
        for row, out in zip(rows, expected, strict=True):
            cut_jpeg(data.crops[row], matrices[row], out)
        off = np.abs(views.astype(np.float32) - expected).mean(axis=(1, 2, 3))
        assert np.median(off) < VIEW_TOLERANCE, f"{name} reads other views: off by {np.median(off):.1f} levels"

    return check


def map_check(data: PeerData) -> Callable[[str, Batch], None]:
    """Return the check that heatmaps are the teacher's."""

    def check(name: str, batch: Batch) -> None:
        rows, maps = batch
        error = np.abs(maps - data.maps[rows]).max()
        assert maps.dtype == np.float32, f"{name} reads {maps.dtype}"
        assert error < MAP_TOLERANCE, f"{name} reads other heatmaps: off by {error}"

    return check


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
