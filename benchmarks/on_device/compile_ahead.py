"""Compile what the benchmark runs compiled, in processes side by side: torch's cache on disk hands the code to it.

    python benchmarks/on_device/compile_ahead.py --out compiled.jsonl [--processes 4]

`make gpu` runs it beside the tests: one process after another would spend the minutes that are for measuring. Each row
has the seconds until the first result. Without a GPU nothing is compiled, and the file stays empty.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import Row, append
from on_device import kernels, table_speeds
from on_device.attempts import described
from on_device.context import Context
from on_device.sizes import SIZES
from on_device.training import Training

from student.device import torch_device
from student.training.step import take_step


def main() -> None:
    """Compile everything and write the rows as they come."""
    # the tests go first
    os.nice(10)
    # each process has compilers of its own
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    options.out.write_text("", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        context = _context(Path(folder))
        if not context.compiles:
            return
        tasks = [
            *(("training", name) for name in list(context.size.students)[::-1]),
            *(("kernel", name) for name in kernels.kernels(context)),
            *(("network", row.name) for row in table_speeds.compiled_networks(context)),
        ]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.processes, mp_context=spawn) as pool:
            for future in as_completed([pool.submit(compile_one, *task, folder) for task in tasks]):
                append(options.out, [future.result()])


def compile_one(kind: str, name: str, folder: str) -> Row:
    """Compile one thing in this process; return its row. kind: training, kernel or network."""
    context = _context(Path(folder) / f"{kind}-{name.replace(' ', '-')}")
    torch.set_num_threads(1)
    begun = time.perf_counter()
    try:
        {"training": _training, "kernel": _kernel, "network": _network}[kind](context, name)
    except Exception as error:
        # the benchmark meets it again, and reports it
        return Row(f"{kind} of {name}", None, "s", note=described(error))
    return Row(f"{kind} of {name}", time.perf_counter() - begun, "s")


def _context(folder: Path) -> Context:
    device = torch_device("auto")
    size = SIZES["gpu" if device.type == "cuda" else "cpu"]
    folder.mkdir(parents=True, exist_ok=True)
    return Context(device, replace(size, persons=size.batch), folder, folder / "profiles.txt")


def _training(context: Context, name: str) -> None:
    settings = context.settings(name, compile=True, pixels="jpeg", workers=1)
    with Training(context.store, settings, context.device, context.folder / "run") as training:
        (batch,) = training.loader.batches(0, 1)
        take_step(training.learner, batch)
        torch.cuda.synchronize()


def _kernel(context: Context, name: str) -> None:
    kernel = kernels.kernels(context)[name]
    torch.compile(kernel.call, dynamic=False)(*kernel.arguments)


def _network(context: Context, name: str) -> None:
    row = next(row for row in table_speeds.networks(context) if row.name == name)
    table_speeds.run_compiled(context, row)


if __name__ == "__main__":
    main()
