"""Everything that runs on a device, measured beside its target: `make gpu` runs it after `pytest -m gpu`.

    python benchmarks/device.py [--size gpu|cpu|test] [--seconds 330] [--out results] [--only SECTION ...]
                                [--uncompiled] [--compiled-ahead FILE]

Sections: parity with a CPU, no waiting in a training step, what a cache is worth, kernels beside a copy, a teacher's
build, Table 1's speeds. On a CPU the same functions run on a part of everything, and targets that are for a GPU are not
judged. Photos and weights are random: no download, nothing outside the folder. gpu.json and gpu.md are written after
every row: a run that is cut leaves what it had. gpu-profiles.txt has the profiler's tables of what missed its target.
Exit code 1 where something failed or a target was missed.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from measured import Row, hand_on, handed_on
from on_device import cache_worth, kernels, parity, table_speeds, teacher_build, waiting
from on_device.context import Context
from on_device.report import Report, Section
from on_device.sizes import SIZES

from pipeline.installation import machine
from student.device import torch_device

#: of the seconds, that each section may take
SHARES = {"parity": 0.15, "waiting": 0.38, "cache": 0.14, "kernels": 0.10, "teacher": 0.08, "table1": 0.15}
#: name -> title and rows; in the order of their worth, should the time end early
SECTIONS: dict[str, tuple[str, Callable[[Context], Iterator[Row]]]] = {
    "parity": ("Parity with a CPU", parity.measure),
    "waiting": ("No waiting in a training step", waiting.measure),
    "cache": ("What a cache is worth", cache_worth.measure),
    "kernels": ("Kernels beside a copy", kernels.measure),
    "teacher": ("A teacher's build", teacher_build.measure),
    "table1": ("Table 1's speeds", table_speeds.measure),
}


def main() -> None:
    """Run the sections, print where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), help="default: gpu where there is one, else cpu")
    parser.add_argument("--seconds", type=float, default=330, help="of all sections together")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="these sections only")
    parser.add_argument("--uncompiled", action="store_true", help="without what torch.compile makes")
    parser.add_argument("--compiled-ahead", type=Path, help="rows of on_device/compile_ahead.py, for the report")
    options = parser.parse_args()
    device = torch_device("auto")
    size = options.size or ("gpu" if device.type == "cuda" else "cpu")
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    report = Report(options.out, {**machine(device), "size": size, "date": date})
    with tempfile.TemporaryDirectory() as folder:
        profiles = options.out / "gpu-profiles.txt"
        profiles.unlink(missing_ok=True)
        chosen = replace(SIZES[size], compiled=SIZES[size].compiled and not options.uncompiled)
        context = Context(device, chosen, Path(folder), profiles)
        if options.compiled_ahead is not None and (rows := handed_on(options.compiled_ahead)):
            report.sections.append(Section("compile", "Compiled ahead, several at once", rows, ended="done"))
        run(context, report, options.only or list(SECTIONS), options.seconds)
    print(f"{options.out / 'gpu.md'}: {len(report.missed)} targets missed, {len(report.failed)} sections failed")
    for what in [*report.missed, *report.failed]:
        print(f"  {what}")
    hand_on([row for section in report.sections for row in section.rows if row.target])
    sys.exit(1 if report.failed or report.missed else 0)


def run(context: Context, report: Report, names: list[str], seconds: float) -> None:
    """Run the sections, each within its share of the seconds and what earlier ones have left."""
    whole = sum(SHARES[name] for name in names)
    context.deadline = time.monotonic()
    for name in names:
        title, measure = SECTIONS[name]
        # time that a section did not use is the next one's, and what it took too much is not
        context.deadline += seconds * SHARES[name] / whole
        section = Section(name, title)
        report.sections.append(section)
        print(f"{title} ...", flush=True)
        fill(section, measure, context, report)
        print(f"  {section.ended}, {section.seconds:.0f} s, {len(section.rows)} rows", flush=True)


def fill(section: Section, measure: Callable[[Context], Iterator[Row]], context: Context, report: Report) -> None:
    """Add the rows of a section to the report as they come, until it ends, fails or is out of time."""
    start = time.monotonic()
    section.ended = "done"
    try:
        for row in measure(context):
            section.rows.append(row)
            section.seconds = time.monotonic() - start
            report.write()
            if context.seconds_left < 0:
                section.ended = "out of time"
                break
    except Exception:
        # the other sections are worth having all the same
        section.ended, section.error = "failed", traceback.format_exc()
    section.seconds = time.monotonic() - start
    if context.on_gpu:
        torch.cuda.empty_cache()
    report.write()


if __name__ == "__main__":
    main()
