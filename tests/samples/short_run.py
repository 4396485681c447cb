"""Runs of a few seconds, and the comparison of their weights."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from cache_tools.store.writer import HeatmapStore
from student.run_record import RunRecord
from student.settings import StudentSettings
from student.training.loop import train
from tests.samples.drawn_store import quick_settings

ROWS = 24
STEPS = 12  # four epochs of 24 rows in batches of 8


def run(store: HeatmapStore, out: Path, *students: StudentSettings, **more: Any) -> list[RunRecord]:
    """Train students, by default one, into `out` or into folders of it; return the records."""
    chosen = students or (quick_settings(),)
    runs = [out] if len(chosen) == 1 else [out / s.name for s in chosen]
    return train([store], chosen, runs, device="cpu", **more)


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    """Return the weights that a run saved."""
    return safetensors.torch.load_file(folder / f"{name}.safetensors")


def equal(one: Path, other: Path) -> bool:
    """Return whether two runs ended with the same weights, bit for bit."""
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
