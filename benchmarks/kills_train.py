"""Kill -9 a training at random moments; each resumed run must end with the weights of an undisturbed one.

    python benchmarks/kills_train.py [--kills 10] [--seed 0]

A narrow network on 64x64 crops, saved about every quarter of a second. Prints a line a kill, and ends with exit code 1
where the last weights, or the logged losses, of a resumed run differ in a single bit. A kill takes about
ten seconds on two busy cores.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

# of the processes that are forked from this one's: equal runs are equal to the bit only with as many threads
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from kills import resume as build
from measured import at_most, hand_on
from scale import write_data
from warm_process import WarmProcess, run_command

from student.training.metric_logger import read_log

ROWS, EPOCHS, BATCH = 128, 3, 8
STEPS = ROWS * EPOCHS // BATCH
SETTINGS = {
    "model": {
        "backbone": "timm:resnet10t", "backbone_options": {"channels": [4, 8, 8, 16], "stem_width": 8},
        "head": "lateral", "head_channels": 8, "weights": "none", "input_size": [64, 64], "sigma": 1.5,
    },
    "augment": "light",
    "train": {
        "epochs": EPOCHS, "batch_size": BATCH, "lr": 2e-3, "workers": 1, "log_steps": 10, "checkpoint_minutes": 0.004,
    },
}  # fmt: skip


def main() -> None:
    """Kill, resume and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator, wrong = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = folder / "store.zarr"
        build(store, write_data(folder, ROWS))
        undisturbed = folder / "undisturbed"
        process = start(store, undisturbed)
        first_save = time.perf_counter()
        process.wait()
        seconds = time.perf_counter() - first_save
        expected = content(undisturbed)
        print(f"{STEPS} steps, {seconds:.1f} s from the first save to the end when undisturbed\n")
        print("| killed after s | saved at step | equal |\n|---|---|---|")
        for number in range(arguments.kills):
            run = folder / str(number)
            process, after = start(store, run), generator.uniform(0, seconds)
            time.sleep(after)
            process.kill()
            process.wait()
            saved = run / "resume.pt"
            # the run may have ended before the kill
            step = torch.load(saved, weights_only=True)["step"] if saved.exists() else STEPS
            run_command(command(store, run))
            equal = content(run) == expected
            wrong += not equal
            print(f"| {after:.2f} | {step} of {STEPS} | {'yes' if equal else 'NO'} |", flush=True)
    print(f"{arguments.kills - wrong} of {arguments.kills} resumed runs are equal bit for bit")
    hand_on([at_most(f"runs that differ after {arguments.kills} killed trainings", wrong, 0)])
    sys.exit(bool(wrong))


def command(store: Path, run: Path) -> list[str]:
    """Return the arguments of a training into `run`."""
    return [
        "train", str(store), "--out", str(run), "--name", "killed",
        "--settings", json.dumps(SETTINGS), "--device", "cpu",
    ]  # fmt: skip


def start(store: Path, run: Path) -> WarmProcess:
    """Start the training and wait until it has saved for the first time: the first step takes a second."""
    process = WarmProcess(command(store, run))
    while not (run / "resume.pt").exists() and process.poll() is None:
        time.sleep(0.005)
    return process


def content(run: Path) -> tuple[bytes, list[tuple[int, float]]]:
    """Return the last weights, and step and loss of each line of the log."""
    return (run / "last.safetensors").read_bytes(), [(entry["step"], entry["loss"]) for entry in read_log(run)]


if __name__ == "__main__":
    main()
