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
from cache_tools.store.reader import StoreReader, Url, no_store
from cache_tools.store.shard_rows import ShardedRows
from cache_tools.store.writer import HeatmapStore

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


def verify_store(
    store: StoreReader | Url, annotations: str | Path | None = None, *, receipt: bool = True
) -> list[Damage]:
    """Return everything that is wrong with a store, in the order of its parts; nothing when it is whole.

    annotations: the COCO file that its rows should be. receipt: False before there is one.
    Raises FileNotFoundError where there is no store.
    """
    objects = Objects(store.url if isinstance(store, StoreReader) else store)
    if (root := objects.get(ROOT)) is None:
        raise no_store(objects)
    try:
        content = read_root(root, ROOT)
    except ValueError as problem:
        return [Damage(ROOT, _what(problem), REPLACE)]
    static = [_object(objects, key, printed) for key, printed in content["objects"].items()]
    # without these, the rest cannot be read
    if damaged := [damage for damage in static if damage is not None]:
        return damaged
    opened = store if isinstance(store, StoreReader) else StoreReader.open(store)
    entries = [_entry(opened, objects, shard) for shard in range(opened.shards)]
    found: list[Damage] = []
    for shard, entry in enumerate(entries):
        found += [entry] if isinstance(entry, Damage) else _shard(opened, objects, shard, entry)
    readable = [entry for entry in entries if not isinstance(entry, Damage)]
    if receipt and len(readable) == opened.shards:
        found += _receipt(opened, objects, readable)
    return found if annotations is None else found + list(_table(opened, annotations))


def forget_damaged(store: HeatmapStore, found: list[Damage]) -> list[int]:
    """Remove damaged shards, and the receipt, from the ledger; return the shards that the next build makes again."""
    shards = sorted({damage.shard for damage in found if damage.shard is not None})
    for shard in shards:
        store.forget(shard)
    if any(damage.place == ledger.RECEIPT for damage in found):
        store.forget_receipt()
    return shards


def _object(objects: Objects, key: str, printed: dict[str, Any], remedy: str = REPLACE) -> Damage | None:
    data = objects.get(key)
    if data is not None and fingerprint(data) == printed:
        return None
    what = "missing" if data is None else "its sha256 is another than when it was written"
    return Damage(key, what, remedy)


def _place(store: StoreReader, shard: int) -> str:
    rows = store.shard_rows(shard)
    return f"shard {shard} (rows {rows.start}-{rows.stop - 1})"


def _entry(store: StoreReader, objects: Objects, shard: int) -> dict[str, Any] | Damage:
    """Return a shard's ledger entry, or what is wrong with it."""
    place = _place(store, shard)
    try:
        entry = ledger.read_entry(objects, shard)
    except ValueError as problem:
        return Damage(f"{place}, {ledger.entry_key(shard)}", _what(problem), REPAIR, shard)
    return Damage(place, "not built yet", "run the same `kdcache build` again") if entry is None else entry


def _shard(store: StoreReader, objects: Objects, shard: int, entry: dict[str, Any]) -> Iterator[Damage]:
    place = _place(store, shard)
    for key, printed in entry["objects"].items():
        if damage := _object(objects, key, printed, REPAIR):
            where = _rows_of_damage(store, shard, key)
            yield Damage(f"{place}, {key}{where}", damage.what, REPAIR, shard)
        elif key == array_object("heatmaps", shard):
            yield from _codes(store, shard, store.heatmaps, place)
        elif store.view_heatmaps is not None and key == array_object("views/heatmaps", shard):
            yield from _codes(store, shard, store.view_heatmaps, place)


def _rows_of_damage(store: StoreReader, shard: int, key: str) -> str:
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


def _codes(store: StoreReader, shard: int, array: ShardedRows, place: str) -> Iterator[Damage]:
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


def _receipt(store: StoreReader, objects: Objects, entries: list[dict[str, Any]]) -> Iterator[Damage]:
    try:
        receipt = ledger.read_receipt(objects)
    except ValueError as problem:
        yield Damage(ledger.RECEIPT, _what(problem), REPAIR)
        return
    if receipt is None:
        yield Damage(ledger.RECEIPT, "not written yet", "run the same `kdcache build` again")
    elif any(receipt.get(name) != value for name, value in store.receipt_of(entries).items()):
        yield Damage(ledger.RECEIPT, "it is of another ledger than the one here", REPAIR)


def _table(store: StoreReader, annotations: str | Path) -> Iterator[Damage]:
    """Where the store's rows are not those of the annotation file."""
    given = store.spec.annotations.read_instances(annotations)
    if given.digest() == store.spec.annotations.digest:
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
