"""How wide and how high a cached teacher's peaks are in the student's views, beside the targets of the labels.

    python benchmarks/peaks.py [STORE] [--input 96x64] [--sigma 1.5] [--batches 22]

Width is the standard deviation of the cells above a tenth of the peak, which is cut off alike for both; only labelled
joints count, and widths only where the teacher's peak is above a half. `distill.sharpen` at the printed exponent makes
the widths equal.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from cache_tools.store.writer import HeatmapStore
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.settings import StudentSettings

STORE = Path("results/worth/stores/PP-TinyPose.zarr")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def main() -> None:
    """Print widths and heights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", nargs="?", type=Path, default=STORE)
    parser.add_argument("--input", default="96x64")
    parser.add_argument("--sigma", type=float, default=1.5)
    parser.add_argument("--batches", type=int, default=22)
    arguments = parser.parse_args()
    if not arguments.store.is_dir():
        print(f"nothing measured: there is no store at {arguments.store}; run config/worth.yaml, or give another")
        return
    size = [int(side) for side in arguments.input.split("x")]
    settings = StudentSettings.model_validate(
        {"name": "peaks", "model": {"input_size": size, "sigma": arguments.sigma}, "augment": "light",
         "train": {"batch_size": 32, "workers": 1}}
    )  # fmt: skip
    widths, target_widths, heights = [], [], []
    with TrainLoader([HeatmapStore.open(arguments.store)], stream_of([settings])) as loader:
        for batch in loader.batches(0, arguments.batches):
            assert batch.teacher_maps is not None
            labelled, height = batch.target_weight > 0, batch.teacher_maps.amax(dim=(2, 3))
            heights.append(height[labelled])
            clear = labelled & (height > 0.5)
            widths.append(peak_widths(batch.teacher_maps)[clear])
            target_widths.append(peak_widths(batch.targets)[clear])
    teacher, target = (float(torch.cat(one).median()) for one in (widths, target_widths))
    exponent = (teacher / target) ** 2
    print(
        f"width in cells, median: teacher {teacher:.2f}, targets {target:.2f}; equal at distill.sharpen {exponent:.2f}"
    )
    shown = ", ".join(f"{100 * q:.0f} % {float(torch.cat(heights).quantile(q)):.2f}" for q in QUANTILES)
    print(f"height of the teacher's peaks, quantiles: {shown}; of the targets: 1")


def peak_widths(maps: Tensor) -> Tensor:
    """Return the standard deviation (B, K) in cells of maps (B, K, h, w), of the cells above a tenth of the peak."""
    weight = maps.double() * (maps > 0.1 * maps.amax(dim=(2, 3), keepdim=True))
    rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in maps.shape[2:]), indexing="ij")
    total = weight.sum(dim=(2, 3))
    variance = torch.zeros_like(total)
    for axis in (rows, columns):
        mean = (weight * axis).sum(dim=(2, 3)) / total
        variance += (weight * (axis - mean[..., None, None]) ** 2).sum(dim=(2, 3)) / total
    return (variance / 2).sqrt()


if __name__ == "__main__":
    main()
