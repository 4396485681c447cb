"""Damage a finished store at random; what is read must be right or refused, named by verify, and repaired.

    python benchmarks/damage.py [--count 2000] [--seed 0]

Bits are flipped, files are cut, zeroed, deleted, swapped between shards and with another store's, taken back to an
earlier state, and moved in with their ledger entries. After each damage all is read: a wrong row, or an error other
than ValueError, is a failure; so is a damage that `verify` does not name, and a store that after the advised repair
(`verify --forget-damaged`, then the same build) differs from an undisturbed one and does not say so.
Prints a table and ends with exit code 1 after a failure.
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import at_most, hand_on

from cache_tools.store.spec import FrameSpec
from cache_tools.store.verify import forget_damaged, verify_store
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import built, files_of, persons, spec_of, write

ROWS = 20
#: three shards of small heatmaps
SMALL: dict[str, Any] = {"shard_rows": 8, "frame": FrameSpec(input_size=(64, 48), heatmap_size=(16, 12))}
Damage = Callable[[Path, random.Random], str]


class Stores:
    """An undisturbed store, and others whose files are moved into a copy of it."""

    def __init__(self, folder: Path) -> None:
        """Build them: the same persons by another codec, other persons, and the store before it was finished."""
        self.whole = folder / "whole"
        built(self.whole, persons(ROWS), **SMALL)
        built(folder / "codec", persons(ROWS), codec="exact8", **SMALL)
        built(folder / "persons", persons(ROWS, seed=1), **SMALL)
        self.others = [folder / "codec", folder / "persons"]
        self.files = files_of(self.whole)
        self.content = read_all(self.whole)


def main() -> None:
    """Damage, read, verify, repair and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator, totals, failures = random.Random(arguments.seed), Counter[tuple[str, str]](), []
    start = time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        stores = Stores(Path(temporary))
        copy = Path(temporary) / "copy"
        kinds = list(damages(stores))
        for number in range(arguments.count):
            kind = kinds[number % len(kinds)]
            shutil.copytree(stores.whole, copy)
            what = damages(stores)[kind](copy, generator)
            outcome, problem = examine(stores, copy)
            totals[kind, outcome] += 1
            if problem:
                failures.append(f"{kind}, {what}: {problem}")
            shutil.rmtree(copy)
    print_table(kinds, totals)
    print("\n".join(failures))
    wrong = sum(number for (_, outcome), number in totals.items() if outcome == WRONG)
    seconds = time.process_time() - start
    print(f"{arguments.count} damages in {seconds:.0f} s of CPU: {wrong} wrong rows, {len(failures)} failures")
    hand_on([at_most(f"wrong rows or other failures after {arguments.count} damages", len(failures), 0)])
    sys.exit(bool(failures))


HARMLESS, REPAIRED, REFUSED, WRONG, OTHER = "no change", "repaired", "repair refused", "WRONG ROWS", "OTHER FAILURE"


def examine(stores: Stores, copy: Path) -> tuple[str, str]:
    """Return the outcome of a damage, and what is wrong with it: nothing where all is as it should be."""
    damaged = changed_files(stores, copy)
    try:
        receipt, *content = read_all(copy)
        # no receipt: the store is not finished, and its rows are read
        if content != stores.content[1:] or receipt not in (None, stores.content[0]):
            return WRONG, "other content was read"
        is_refused = False
    except (ValueError, FileNotFoundError) as error:
        # FileNotFoundError: without its root there is no store
        is_refused = True
        if isinstance(error, FileNotFoundError) and (copy / "zarr.json").exists():
            return OTHER, repr(error)
    except Exception as error:
        return OTHER, f"reading raised {error!r:.300}"
    if not damaged:
        return HARMLESS, "an undamaged store was refused" if is_refused else ""
    try:
        found = verify_store(copy)
    except FileNotFoundError:
        return REFUSED, "" if not (copy / "zarr.json").exists() else "verify found no store"
    except Exception as error:
        return OTHER, f"verify raised {error!r:.300}"
    named = " ".join(map(str, found))
    unnamed = [name for name in damaged if not is_named(name, named)]
    # which of two stores is in its place cannot be known where the root itself is exchanged
    if not found if "zarr.json" in damaged else damaged == unnamed:
        return OTHER, f"verify does not name {unnamed}: {named[:300]}"
    return repair(stores, copy)


def repair(stores: Stores, copy: Path) -> tuple[str, str]:
    """Repair a store as `verify` advises; return the outcome."""
    try:
        expected = spec_of(persons(ROWS), **SMALL)
        store = HeatmapStore.open(copy, expected, mode="r+")
        forget_damaged(store, verify_store(copy))
        store = HeatmapStore.open(copy, expected, mode="r+")
        for shard in store.pending():
            write(store, shard)
        if verify_store(store, receipt=False):
            return REFUSED, ""
        store.finalize()
    except ValueError:
        return REFUSED, ""
    except Exception as error:
        return OTHER, f"the repair raised {error!r:.300}"
    left = changed_files(stores, copy)
    return (OTHER, f"the repaired store differs in {left}") if left else (REPAIRED, "")


def is_named(name: str, named: str) -> bool:
    """Return whether verify's text names a file, or the shard whose entry is gone."""
    shard = re.fullmatch(r"ledger/(\d+)\.json", name)
    return name in named or (shard is not None and f"shard {shard[1]} " in named)


def changed_files(stores: Stores, copy: Path) -> list[str]:
    """Return the files that differ from the undisturbed store's, unless they hold the same JSON document."""
    now = files_of(copy)
    names = sorted(stores.files.keys() | now.keys())
    return [name for name in names if not is_equal(name, stores.files.get(name), now.get(name))]


def is_equal(name: str, before: bytes | None, after: bytes | None) -> bool:
    """Return whether two files are equal; a blank in place of a line's end changes a sealed document in nothing."""
    if before == after or before is None or after is None or not name.startswith(("ledger", "receipt", "zarr.json")):
        return before == after
    try:
        return bool(json.loads(before) == json.loads(after))
    except (ValueError, RecursionError):
        return False


def read_all(folder: Path) -> list[object]:
    """Return all that a training run reads, and the receipt."""
    store, rows = HeatmapStore.open(folder), np.arange(ROWS)
    views: tuple[Any, ...] = store.read_view_codes(rows)
    return [
        store.read_receipt(),
        store.instances.digest(),
        store.crop_to_image.tobytes(),
        store.read_codes(rows).tobytes(),
        *(values.tobytes() for values in views),
        store.read_crops(rows),
        store.read_crop_sizes(rows).tobytes(),
        store.read_crop_matrices(rows).tobytes(),
    ]


def damages(stores: Stores) -> dict[str, Damage]:
    """Return the kinds of damage; each changes a copy of the store and returns what it did."""
    names = sorted(stores.files)
    of_shards = sorted(name for name in names if re.search(r"/c/\d|packed/\d", name) and "instances" not in name)

    def flip(copy: Path, generator: random.Random) -> str:
        path = copy / generator.choice(names)
        data = bytearray(path.read_bytes())
        for _ in range(generator.choice([1, 1, 2, 16])):
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        path.write_bytes(data)
        return str(path.relative_to(copy))

    def cut(copy: Path, generator: random.Random) -> str:
        path = copy / generator.choice(names)
        data = path.read_bytes()
        path.write_bytes(data[: generator.choice([0, len(data) - 1, generator.randrange(len(data))])])
        return str(path.relative_to(copy))

    def zero(copy: Path, generator: random.Random) -> str:
        path = copy / generator.choice(names)
        data = bytearray(path.read_bytes())
        start = generator.randrange(len(data))
        length = generator.choice([1, 512, 4096, len(data)])
        data[start : start + length] = bytes(len(data[start : start + length]))
        path.write_bytes(data)
        return f"{path.relative_to(copy)} from {start}"

    def delete(copy: Path, generator: random.Random) -> str:
        path = copy / generator.choice(names)
        path.unlink()
        return str(path.relative_to(copy))

    def swap_shards(copy: Path, generator: random.Random) -> str:
        name = generator.choice([*of_shards, *(f"ledger/{shard}.json" for shard in range(3))])
        other = re.sub(r"(/c/|packed/|ledger/)(\d+)", next_shard, name, count=1)
        first, second = copy / name, copy / other
        data = first.read_bytes()
        first.write_bytes(second.read_bytes())
        if generator.random() < 0.5:
            second.write_bytes(data)
        return f"{name} and {other}"

    def from_another_store(copy: Path, generator: random.Random) -> str:
        other, name = generator.choice(stores.others), generator.choice(names)
        shutil.copyfile(other / name, copy / name)
        return f"{name} of {other.name}"

    def transplant(copy: Path, generator: random.Random) -> str:
        other, shard = generator.choice(stores.others), generator.randrange(3)
        for name in names:
            if re.match(rf"ledger/{shard}\.|(heatmaps|views|crops)/.*c/{shard}/|crops/packed/{shard}/", name):
                shutil.copyfile(other / name, copy / name)
        if generator.random() < 0.3:
            shutil.copyfile(other / "receipt.json", copy / "receipt.json")
        return f"shard {shard} of {other.name}"

    def roll_back(copy: Path, generator: random.Random) -> str:
        # as a backup of a running build: the ledger or the data of an earlier moment
        shard = generator.randrange(3)
        gone = [f"ledger/{shard}.json", *(n for n in of_shards if f"/{shard}/" in n)]
        chosen = gone[:1] if generator.random() < 0.5 else gone[1:]
        for name in chosen:
            (copy / name).unlink()
        return ", ".join(chosen)

    def root_of_another(copy: Path, generator: random.Random) -> str:
        other = generator.choice(stores.others)
        shutil.copyfile(other / "zarr.json", copy / "zarr.json")
        if generator.random() < 0.5:
            shutil.copytree(other / "instances", copy / "instances", dirs_exist_ok=True)
        return f"root of {other.name}"

    return {
        "bits flipped": flip, "file cut": cut, "block zeroed": zero, "file deleted": delete,
        "files of shards swapped": swap_shards, "file of another store": from_another_store,
        "shard of another store with its entry": transplant, "taken back to an earlier moment": roll_back,
        "root of another store": root_of_another,
    }  # fmt: skip


def next_shard(found: re.Match[str]) -> str:
    """Return a part of a key with the number of the next of the three shards."""
    return f"{found[1]}{(int(found[2]) + 1) % 3}"


def print_table(kinds: list[str], totals: Counter[tuple[str, str]]) -> None:
    """Print the number of damages of each kind by their outcome."""
    outcomes = (HARMLESS, REPAIRED, REFUSED, WRONG, OTHER)
    print(f"| damage | {' | '.join(outcomes)} |\n|---|{'---|' * len(outcomes)}")
    for kind in kinds:
        print(f"| {kind} | {' | '.join(str(totals[kind, outcome]) for outcome in outcomes)} |")


if __name__ == "__main__":
    main()
