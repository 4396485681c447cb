"""Run every benchmark, then print all their figures in one table, each beside its target: `make bench`.

    python benchmarks/all.py [--only NAME ...] [--quick] [--out results]

Each benchmark is a program of its own and prints more than the table has; --quick runs all with the fewest rounds, to
see that they work. results/bench.md holds the table with machine and date. Exit code 1 where a benchmark failed; a
target that is missed is said and fails nothing, because machines differ.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from measured import HEADS, ROWS_FILE, Row, handed_on
from tabulate import tabulate

from cache_tools.files import write_text
from pipeline.installation import machine

HERE = Path(__file__).parent
#: name of the table's part -> program and arguments, and the arguments of --quick
PROGRAMS: dict[str, tuple[list[str], list[str]]] = {
    "peers": (["peers.py"], ["--rounds", "1", "--rows", "48", "--only", "LMDB"]),
    "loader": (["loader.py"], ["--batches", "2"]),
    "step": (["step.py", "--rounds", "5"], ["--rounds", "1"]),
    "streams": (["streams.py"], ["--steps", "4"]),
    "read": (["read.py"], ["--rows", "200", "--rounds", "1", "--batches", "1"]),
    "joints": (["joints.py"], ["--rows", "16", "--rounds", "1", "--joints", "6,17"]),
    "crops": (["crops.py"], ["--rows", "8"]),
    "scale": (["scale.py"], ["--rows", "2000"]),
    "scale, real photos": (["scale.py", "--real"], ["--rows", "1432"]),
    "annotations": (["annotations.py"], ["--rows", "10000"]),
    "kills": (["kills.py"], ["--kills", "2"]),
    "kills_train": (["kills_train.py"], ["--kills", "1"]),
    "damage": (["damage.py"], ["--count", "18"]),
    "device": (["device.py"], ["--size", "test"]),
}


def main() -> None:
    """Run the programs, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PROGRAMS), help="these only")
    parser.add_argument("--quick", action="store_true", help="the fewest rounds of each")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    cells: list[Sequence[str]] = []
    failed: list[str] = []
    missed = 0
    for name in options.only or PROGRAMS:
        program, quick = PROGRAMS[name]
        print(f"\n== {' '.join(program)}", flush=True)
        rows, passed = run([*program, *(quick if options.quick else [])])
        cells += [(name, *row.cells()) for row in rows]
        missed += sum(row.met is False for row in rows)
        if not passed:
            failed.append(name)
            cells.append((name, "FAILED", *[""] * (len(HEADS) - 1)))
    table = tabulate(cells, ("benchmark", *HEADS), tablefmt="pipe", disable_numparse=True)
    header = {**machine(torch.device("cpu")), "load": f"{os.getloadavg()[0]:.1f}", "date": f"{datetime.now(UTC):%F}"}
    lines = [f"- {key}: {value}" for key, value in header.items() if not isinstance(value, (dict, list))]
    write_text(options.out / "bench.md", "\n".join(["# Benchmarks", "", *lines, "", table]) + "\n")
    print(f"\n{table}\n\n{missed} targets missed, {len(failed)} benchmarks failed; {options.out / 'bench.md'}")
    sys.exit(bool(failed))


def run(program: Sequence[str]) -> tuple[list[Row], bool]:
    """Run one program; return the rows that it handed on, and whether it ended with 0."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.touch()
        # one thread, as each benchmark's text says: figures are CPU time
        environment = {"OMP_NUM_THREADS": "1", **os.environ, ROWS_FILE: str(file)}
        ended = subprocess.run([sys.executable, HERE / program[0], *program[1:]], env=environment, check=False)
        return handed_on(file), ended.returncode == 0


if __name__ == "__main__":
    main()
