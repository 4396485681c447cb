"""Three students from one stream of batches, compared with three separate runs.

    python benchmarks/streams.py [--data ../shared/data/coco] [--steps 40]

Small students at 128x96 on real photos, where the input path is a large part of a step. The table shows CPU time of all
threads, and the largest difference between the loss curves, which sharing must not change.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from loader import REAL, make_store, persons_of
from measured import at_least, at_most, hand_on
from tabulate import tabulate

from cache_tools.store.writer import HeatmapStore
from student.settings import StudentSettings
from student.training.loop import train
from student.training.metric_logger import read_log

WIDTHS = (4, 6, 8)


def student_settings(width: int, steps: int, rows: int) -> StudentSettings:
    """Return settings of a narrow ResNet-10 with `width` channels at its first stage."""
    channels = [width, 2 * width, 4 * width, 8 * width]
    return StudentSettings.model_validate(
        {
            "name": f"r{width}",
            "model": {
                "backbone": "timm:resnet10t", "backbone_options": {"channels": channels, "stem_width": 8},
                "head": "lateral", "head_channels": 16, "weights": "none", "input_size": (128, 96), "sigma": 1.5,
            },
            "train": {"epochs": steps * 16 / rows, "batch_size": 16, "lr": 2e-3, "log_steps": 1},
        }
    )  # fmt: skip


def main() -> None:
    """Train the students apart, then together; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = persons_of(options.data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder / "store.zarr", table, options.data / "train")
        students = [student_settings(width, options.steps, store.rows) for width in WIDTHS]
        run(store, [student_settings(WIDTHS[0], 2, store.rows)], [folder / "warm-up"])
        apart = [run(store, [s], [folder / "apart" / s.name]) for s in students]
        together = run(store, students, [folder / "together" / s.name for s in students])
        differences = []
        for s in students:
            logs = read_log(folder / "apart" / s.name), read_log(folder / "together" / s.name)
            differences += [abs(a["loss"] - b["loss"]) for a, b in zip(*logs, strict=True)]
    print(f"students {', '.join(s.name for s in students)}, {options.steps} steps of 16, 128x96, CPU\n")
    rows = [(s.name, seconds, "") for s, seconds in zip(students, apart, strict=True)]
    rows += [("three runs", sum(apart), ""), ("one stream", together, f"{sum(apart) / together:.2f}x less")]
    print(tabulate(rows, ["", "CPU-s", ""], tablefmt="plain", floatfmt=".2f"))
    print(f"largest difference of a loss: {max(differences):.1e}")
    hand_on([
        at_least("three students of one stream: CPU of three runs over it", sum(apart) / together, 1.1, "x"),
        at_most("the same: largest difference of a loss", max(differences), 0),
    ])  # fmt: skip


def run(store: HeatmapStore, students: list[StudentSettings], runs: list[Path]) -> float:
    """Return the CPU seconds of a training."""
    began = time.process_time()
    train([store], students, runs, device="cpu")
    return time.process_time() - began


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
