"""Kill -9 the processes of a build, at random moments; each resumed store must equal an undisturbed one.

    python benchmarks/kills.py [--kills 20] [--terminations 0] [--pairs 0] [--seed 0]

In turn: the plain build, a worker process, the Dask scheduler, a build on Dask. Prints a line for each, and ends with
exit code 1 where a store differs in a single byte. --terminations 200 sends builds SIGTERM twice, as queues do, the
second while the first one's clean-up runs: a build that does not end within a minute hangs. --pairs 25 starts two
builds of one store at once, in turn of the same and of different teachers: one is refused, or both end in the store of
one teacher.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import psutil
from measured import at_most, hand_on
from scale import write_data
from warm_process import WarmProcess, run_command

ROWS, SHARD_ROWS = 48, 4
#: three seconds for two workers, in which they are killed; most of it is waiting: a round costs little
SLOW = "oracle?seconds_per_crop=0.12"
#: the kdcache beside this file, for Dask's workers too
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
PARTS = ("build", "worker", "scheduler", "build on Dask")
DASK = [sys.executable, "-m", "dask"]


class Streams(TypedDict):
    """Output streams of a process."""

    stdout: int
    stderr: int


QUIET = Streams(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Kill, resume and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--terminations", type=int, default=0, help="builds that get SIGTERM twice")
    parser.add_argument("--pairs", type=int, default=0, help="pairs of builds of one store")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator, wrong = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        annotations = write_data(folder, ROWS)
        undisturbed = folder / "undisturbed.zarr"
        resume(undisturbed, annotations)
        expected = content(undisturbed)
        print("| killed | after s | shards done | store equal |\n|---|---|---|---|")
        for number in range(arguments.kills):
            part, store = PARTS[number % len(PARTS)], folder / f"{number}.zarr"
            after = kill(part, store, annotations, generator)
            done = len(list(store.glob("ledger/*.json")))
            resume(store, annotations)
            equal = content(store) == expected
            wrong += not equal
            print(
                f"| {part} | {after:.2f} | {done} of {-(-ROWS // SHARD_ROWS)} | {'yes' if equal else 'NO'} |",
                flush=True,
            )
        wrong += terminate_twice(arguments.terminations, folder, annotations, generator, expected)
        wrong += build_in_pairs(arguments.pairs, folder, annotations, generator, expected)
    count = arguments.kills + arguments.terminations + arguments.pairs
    print(f"{count - wrong} of {count} resumed stores are equal byte for byte")
    hand_on([at_most(f"stores that differ after {count} killed or stopped builds", wrong, 0)])
    sys.exit(bool(wrong))


def command(store: Path, annotations: Path, *more: str, teacher: str = "oracle") -> list[str]:
    """Return the arguments of the build of `store`."""
    return [
        "build", str(store), "--teacher", teacher, "--images", str(annotations.parent), "--annotations",
        str(annotations), "--shard-rows", str(SHARD_ROWS), *more,
    ]  # fmt: skip


def resume(store: Path, annotations: Path) -> None:
    """Run the same build again to its end."""
    run_command(command(store, annotations))


def kill(part: str, store: Path, annotations: Path, generator: random.Random) -> float:
    """Start a build, kill one of its parts while it works, and return the seconds that it had worked."""
    helpers: list[subprocess.Popen[bytes]] = []
    more: tuple[str, ...] = ("--workers", "2")
    if part == "scheduler":
        port = generator.randrange(20_000, 40_000)
        address = f"tcp://127.0.0.1:{port}"
        serve = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        work = ["worker", address, "--nworkers", "2", "--nthreads", "2", "--no-dashboard"]
        helpers = [subprocess.Popen([*DASK, *tail], env=ENVIRONMENT, **QUIET) for tail in (serve, work)]
        more = ("--scheduler", address)
    elif part == "build":
        more = ()
    arguments = command(store, annotations, *more, teacher=SLOW)
    process: subprocess.Popen[bytes] | WarmProcess
    if more:
        # Dask's own processes take their seconds in any case
        process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", *arguments], env=ENVIRONMENT, **QUIET)
    else:
        process = WarmProcess(arguments)
    # Dask's processes take seconds to start: they are killed at work
    while not (any(store.glob("ledger/*")) if more else store.exists()) and process.poll() is None:
        time.sleep(0.01)
    # a build without Dask has just made its root
    after = generator.uniform(0, 2.5 if more else 6)
    time.sleep(after)
    if part == "scheduler":
        helpers[0].kill()
    elif part == "worker":
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        workers = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        for child in workers[:1]:
            child.kill()
    else:
        process.kill()
    process.wait(120)
    # a worker looks for its scheduler for a long time; its children end with it
    for helper in helpers:
        helper.kill()
        helper.wait()
    return after


def terminate_twice(
    count: int, folder: Path, annotations: Path, generator: random.Random, expected: dict[str, bytes]
) -> int:
    """Send SIGTERM twice to each of `count` builds; return how many hung or left a store that does not resume."""
    hung, slowest, wrong = 0, 0.0, 0
    for number in range(count):
        store = folder / f"terminated{number}.zarr"
        process = WarmProcess(command(store, annotations, teacher=SLOW))
        while not store.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 3))
        start = time.perf_counter()
        process.terminate()
        time.sleep(generator.uniform(0, 0.5))
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            hung += 1
            process.kill()
            process.wait()
        slowest = max(slowest, time.perf_counter() - start)
        resume(store, annotations)
        wrong += content(store) != expected
        shutil.rmtree(store)
    if count:
        print(f"{count} builds got SIGTERM twice: {hung} hung, the slowest ended after {slowest:.1f} s")
    return wrong + hung


def build_in_pairs(
    count: int, folder: Path, annotations: Path, generator: random.Random, expected: dict[str, bytes]
) -> int:
    """Start two builds of one store at once; return the number of stores that are of neither teacher."""
    other, refused, wrong = folder / "other.zarr", 0, 0
    if count:
        run_command(command(other, annotations, teacher="none"))
    for number in range(count):
        store, teachers = folder / f"pair{number}.zarr", ("oracle", "none" if number % 2 else "oracle")
        pair = []
        for teacher in generator.sample(teachers, 2):
            pair.append(WarmProcess(command(store, annotations, teacher=teacher)))
            time.sleep(generator.choice([0, 0, 0.1, 0.5]))
        codes = [process.wait(300) for process in pair]
        refused += codes.count(2)
        is_one = content(store) in (expected, content(other)) if 0 in codes else False
        wrong += not is_one or bool(set(codes) - {0, 2})
        shutil.rmtree(store)
    if count:
        print(f"{count} pairs of builds of one store: {refused} of {2 * count} builds refused, {wrong} mixed or lost")
    return wrong


def content(store: Path) -> dict[str, bytes]:
    """Return every file of a store."""
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


if __name__ == "__main__":
    main()
