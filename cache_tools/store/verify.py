"""Is a store whole, and is it what it says? Every object against its checksum, every code against its codec, the table
against the annotations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.store import ledger
from cache_tools.store.layout import ROOT, array_object, packed_object, read_root
from cache_tools.store.objects import REPAIR, Objects, fingerprint
from cache_tools.store.shard_rows import ShardedRows
from cache_tools.store.writer import HeatmapStore, Url

Rows = NDArray[np.int64]
REPLACE = "put this file back from a copy, or build again into another folder"


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong. place: object, array or field, with shard and rows where it belongs to some."""

    place: str
    what: str
    remedy: str
    shard: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.what}; {self.remedy}"


def verify(url: Url, annotations: str | Path | None = None) -> list[Damage]:
    """Everything that is wrong with a store, in the order of its parts; empty when it is whole.

    annotations: the COCO file that its rows should be. Raises FileNotFoundError where there is no store.
    """
    objects = Objects(url)
    if (root := objects.get(ROOT)) is None:
        HeatmapStore.open(url)  # says what to do
    try:
        content = read_root(root or b"", ROOT)
    except ValueError as problem:
        return [Damage(ROOT, _what(problem), REPLACE)]
    damaged = [damage for key, printed in content["objects"].items() if (damage := _object(objects, key, printed))]
    if damaged:  # nothing of the table can be believed
        return damaged
    store = HeatmapStore.open(url)
    found = [damage for shard in range(store.shards) for damage in _shard(store, objects, shard)]
    found += _receipt(store, objects)
    return found + ([] if annotations is None else list(_table(store, annotations)))


def forget_damaged(url: Url, found: list[Damage]) -> list[int]:
    """Strike the damaged shards, and the receipt, off the ledger; the shards that the next build will make again."""
    store = HeatmapStore.open(url, mode="r+")
    shards = sorted({damage.shard for damage in found if damage.shard is not None})
    for shard in shards:
        store.forget(shard)
    if any(damage.place == ledger.RECEIPT for damage in found):
        Objects(url, write=True).delete(ledger.RECEIPT)
    return shards


def _object(objects: Objects, key: str, printed: dict[str, Any], remedy: str = REPLACE) -> Damage | None:
    data = objects.get(key)
    if data is not None and fingerprint(data) == printed:
        return None
    what = "missing" if data is None else "its sha256 is another than when it was written"
    return Damage(key, what, remedy)


def _shard(store: HeatmapStore, objects: Objects, shard: int) -> Iterator[Damage]:
    rows = store.shard_rows(shard)
    place = f"shard {shard} (rows {rows.start}-{rows.stop - 1})"
    try:
        entry = ledger.read_entry(objects, shard)
    except ValueError as problem:
        yield Damage(f"{place}, {ledger.entry_key(shard)}", _what(problem), REPAIR, shard)
        return
    if entry is None:
        yield Damage(place, "not built yet", "run the same `kdcache build` again")
        return
    for key, printed in entry["objects"].items():
        if damage := _object(objects, key, printed, REPAIR):
            where = _rows_of_damage(store, shard, key)
            yield Damage(f"{place}, {key}{where}", damage.what, REPAIR, shard)
        elif key == array_object("heatmaps", shard):
            yield from _codes(store, shard, store.heatmaps, place)
        elif store.view_heatmaps is not None and key == array_object("views/heatmaps", shard):
            yield from _codes(store, shard, store.view_heatmaps, place)


def _rows_of_damage(store: HeatmapStore, shard: int, key: str) -> str:
    """`, rows 16-23` for the rows that cannot be read any more; empty where the object is not divided by rows."""
    rows, name = np.array(store.shard_rows(shard)), key.split("/c/")[0]
    sharded = {"heatmaps": store.heatmaps, "views/heatmaps": store.view_heatmaps}.get(name)
    if key == packed_object(shard):
        readable: Callable[[Rows], object] = store.read_crops
        step = 1
    elif sharded is not None:
        readable, step = sharded.read, store.spec.chunk_rows
    else:
        return ""
    bad = [part for part in np.split(rows, range(step, len(rows), step)) if not _reads(readable, part)]
    return ", rows " + ", ".join(f"{part[0]}-{part[-1]}" for part in bad[:5]) if bad else ""


def _reads(read: Callable[[Rows], object], rows: Rows) -> bool:
    try:
        read(rows)
    except ValueError:
        return False
    return True


def _codes(store: HeatmapStore, shard: int, array: ShardedRows, place: str) -> Iterator[Damage]:
    """Codes that no encoder writes: NaN, infinity, levels that the codec doesn't have."""
    rows, levels = np.array(store.shard_rows(shard)), store.codec.levels
    if levels is not None and len(levels) > np.iinfo(array.dtype).max:
        return  # every number that the type holds is a level
    step = store.spec.chunk_rows * 16
    for part in np.split(rows, range(step, len(rows), step)):
        codes = array.read(part)
        wrong = ~np.isfinite(codes) if levels is None else codes >= len(levels)
        if wrong.any():
            bad = part[wrong.reshape(len(part), -1).any(axis=1)]
            named = ", ".join(map(str, store.instances.annotation_id[bad[:5]]))
            yield Damage(f"{place}, {array.name}", f"codes that are no heatmap, of annotation {named}", REPAIR, shard)


def _receipt(store: HeatmapStore, objects: Objects) -> Iterator[Damage]:
    if any(_unreadable_entry(objects, shard) for shard in range(store.shards)):
        return  # told already
    try:
        receipt = ledger.read_receipt(objects)
    except ValueError as problem:
        yield Damage(ledger.RECEIPT, _what(problem), REPAIR)
        return
    if receipt is None:
        yield Damage(ledger.RECEIPT, "not written yet", "run the same `kdcache build` again")
    elif any(receipt.get(name) != value for name, value in store.make_receipt().items()):
        yield Damage(ledger.RECEIPT, "it is of another ledger than the one here", REPAIR)


def _unreadable_entry(objects: Objects, shard: int) -> bool:
    """Whether a shard has no entry that can be read."""
    try:
        return ledger.read_entry(objects, shard) is None
    except ValueError:
        return True


def _table(store: HeatmapStore, annotations: str | Path) -> Iterator[Damage]:
    """Where the store's rows are not those of the annotation file."""
    given = store.spec.annotations.persons(annotations)
    if given.digest == store.spec.annotations.digest:
        return
    remedy = "give the annotation file that the store was made from, or build another store"
    ours, theirs = set(store.instances.annotation_id.tolist()), set(given.annotation_id.tolist())
    for missing, where in ((ours - theirs, str(annotations)), (theirs - ours, store.url)):
        if missing:
            named = ", ".join(map(str, sorted(missing)[:5]))
            what = f"{len(missing)} of its persons are not in {where}, annotation {named} first"
            yield Damage("instances/annotation_id", what, remedy)
    if ours != theirs:
        return
    for field in fields(Instances):
        found, expected = getattr(store.instances, field.name), getattr(given, field.name)
        differing = [i for i, pair in enumerate(zip(found, expected, strict=True)) if not np.array_equal(*pair)]
        if differing:
            first = store.instances.annotation_id[differing[0]]
            what = f"{len(differing)} rows differ from {annotations}, annotation {first} first"
            yield Damage(f"instances/{field.name}", what, remedy)


def _what(problem: ValueError) -> str:
    """The problem without where it is and what to do, which a Damage says apart."""
    return str(problem).split(" is damaged: ")[-1].removesuffix(f"; {REPAIR}")
