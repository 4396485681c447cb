"""The estimates of a configuration as text."""

from tabulate import tabulate

from pipeline.config import Config
from pipeline.costs.estimate import CROP_BYTES, CostEstimate, Stage, bytes_per_row

STAGE_TITLES: dict[Stage, str] = {
    "cache": "teacher, once",
    "live": "teacher, live",
    "train": "students",
    "evaluate": "evaluation",
}
Cells = list[str]


def estimate_text(estimate: CostEstimate, config: Config, tflops: float) -> str:
    """Return the estimates as text; tflops: the speed in TFLOP/s that a GPU sustains, by assumption."""
    parts = [
        f"ESTIMATES for {tflops:g} TFLOP/s sustained; nothing was run or measured",
        tabulate(_data_rows(estimate, config), tablefmt="plain", disable_numparse=True, colalign=("left", "right")),
        tabulate(
            _work_rows(estimate, tflops),
            headers=["", "GFLOP each", "passes", "all of it", "GPU-h"],
            tablefmt="plain",
            disable_numparse=True,
            colalign=("left", "right", "right", "right", "right"),
        ),
    ]
    if estimate.live_alternative is not None:
        name = config.teachers[0].name
        parts.append(f"without the cache: {name}, with all its experts, runs on each augmented crop")
    if estimate.uncounted:
        parts.append(f"not counted, because their FLOPs are not known here: {', '.join(estimate.uncounted)}")
    return "\n\n".join(parts)


def gpu_hours(flop: float, tflops: float) -> float:
    """Return the hours that a GPU takes which sustains `tflops` TFLOP/s."""
    return flop / (tflops * 1e12) / 3600


def _data_rows(estimate: CostEstimate, config: Config) -> list[Cells]:
    codec = config.store.codec
    each = f"{bytes_per_row(codec, estimate.joints):.0f} bytes a row of {estimate.joints} joints in {codec}"
    rows = [
        ["persons to train on", f"{estimate.rows:,}", estimate.counted[0]],
        ["persons to evaluate", f"{estimate.val_persons:,}", estimate.counted[1]],
        ["store, heatmaps", scaled(estimate.heatmap_bytes, "B"), each],
    ]
    if estimate.crop_bytes:
        rows.append(["store, crops", scaled(estimate.crop_bytes, "B"), f"{CROP_BYTES} bytes a row"])
    return rows


def _work_rows(estimate: CostEstimate, tflops: float) -> list[Cells]:
    def cost(flop: float | None) -> Cells:
        return ["not known", "-"] if flop is None else [scaled(flop, "FLOP"), f"{gpu_hours(flop, tflops):.2f}"]

    rows = []
    for stage, title in STAGE_TITLES.items():
        works = [work for work in estimate.works if work.stage == stage]
        if not works:
            continue
        rows.append([f"{title}:", "", "", "", ""])
        # an evaluation is short, and of every network: only the sum is of interest
        for work in works if stage != "evaluate" else []:
            each = "-" if work.flop_each is None else f"{work.flop_each / 1e9:.2f}"
            rows.append([f"- {work.name}", each, f"{work.passes:,.0f}", *cost(work.flop)])
        if len(works) > 1:
            rows.append([f"- all {len(works)}", "", "", *cost(estimate.flop(stage))])
    rows.append(["everything", "", "", *cost(estimate.flop())])
    if estimate.live_alternative is not None:
        one, every = estimate.live_alternative
        rows.append(["more without the cache:", "", "", "", ""])
        rows.append(["- for one student", "", "", *cost(one)])
        rows.append(["- for all students", "", "", *cost(every)])
    return rows


def scaled(value: float, unit: str) -> str:
    """Return a number with a decimal prefix: 37.7 PFLOP."""
    prefixes = ("", "k", "M", "G", "T", "P", "E", "Z")
    step = 0
    while value >= 999.5 and step < len(prefixes) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {prefixes[step]}{unit}"
