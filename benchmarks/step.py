"""The cost of a teacher in a training step: none, cached, live.

    python benchmarks/step.py [--data ../shared/data/coco] [--rounds 9]

A whole step, input path included, of Efficientnet_B0 at 256x192 on real photos: `none` uses only the ground truth,
`cached` replays stored heatmaps, `live` runs a network of ViTPose-S's size (no real weights, experts folded) every
time. The three take turns in short blocks: a busy machine slows all alike. The table shows the CPU time of all threads,
its median over the rounds, and median and quartiles of the ratios within each round.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from loader import REAL, make_store, persons_of
from measured import Row, at_most, hand_on
from numpy.typing import NDArray
from tabulate import tabulate

from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.writer import HeatmapStore
from pipeline.teachers.vitpose import fold, plus_network
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.settings import StudentSettings
from student.torch_network import run_network
from student.training.distributed import ProcessContext
from student.training.learner import Learner
from student.training.step import take_step

MODES, BASES = ("none", "cached", "live"), ("none", "cached")
BATCH = 8
# of a block
STEPS = 2


class SmallVitPose:
    """A live teacher of ViTPose-S's cost; its heatmaps are noise."""

    name, digest, licence, frame, sigma = "ViTPose-S, random", "0" * 64, "none", "udp", 2.0
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size = (256, 192), (64, 48)

    def __init__(self) -> None:
        empty = plus_network("small")
        fold(empty.model)
        self.network = empty.to_empty(device="cpu")
        for tensor in (*self.network.parameters(), *self.network.buffers()):
            with torch.no_grad():
                tensor.fill_(0.01)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return heatmaps (B, 17, 64, 48) of noise."""
        return run_network(self.network, crops, torch.device("cpu"))


def main() -> None:
    """Run the modes in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = persons_of(options.data).take(slice(0, 128))
    seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder) / "store.zarr", table, options.data / "train")
        trainings = {mode: Training(mode, store, Path(folder)) for mode in MODES}
        for number in range(options.rounds + 1):
            for mode, training in trainings.items():
                step_seconds = training.run_block()
                # the first round warms up
                if number > 0:
                    seconds[mode].append(step_seconds)
    print(f"Efficientnet_B0, 256x192, batches of {BATCH}, CPU, {options.rounds} rounds of {STEPS} steps a mode")
    rows = []
    for mode in MODES:
        ratios = [ratio_quartiles(seconds[mode], seconds[base]) for base in BASES]
        rows.append([mode, np.median(seconds[mode]), *ratios])
    print("\n" + tabulate(rows, ["", "CPU-s a step", *(f"over {base}" for base in BASES)], "plain", floatfmt=".3f"))
    cached, live = np.divide(seconds["cached"], seconds["none"]), np.divide(seconds["live"], seconds["cached"])
    hand_on([
        at_most("a step, cached over none", float(np.median(cached)), 1.05, "x"),
        Row("a step, live over cached", float(np.median(live)), "x"),
    ])  # fmt: skip


def ratio_quartiles(seconds: list[float], base: list[float]) -> str:
    """Return median and quartiles of the ratio in each round."""
    low, middle, high = np.percentile(np.divide(seconds, base), [25, 50, 75])
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


class Training:
    """The training of one student with its own loader, in one mode of distillation."""

    def __init__(self, mode: str, store: HeatmapStore, folder: Path) -> None:
        settings = StudentSettings.model_validate(
            {"name": mode, "model": {"weights": "none"}, "distill": {"mode": mode}, "train": {"batch_size": BATCH}}
        )
        process = ProcessContext(torch.device("cpu"))
        teacher = SmallVitPose() if mode == "live" else None
        self.loader = TrainLoader([store], stream_of([settings]), teacher=teacher, device=process.device)
        self.learner = Learner(
            settings,
            folder,
            skeleton=self.loader.skeleton,
            steps=1000,
            steps_per_epoch=self.loader.sampler.steps_per_epoch,
            process=process,
        )

    def run_block(self) -> float:
        """Return the CPU seconds a step of a few steps; the loader's threads are idle before and after."""
        start = self.learner.step
        began = time.process_time()
        for batch in self.loader.batches(start, start + STEPS):
            take_step(self.learner, batch)
        return (time.process_time() - began) / STEPS


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
