"""Verify a store: every object by its checksum, every code by its codec, the rows by the annotations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.store import ledger
from cache_tools.store.build_lock import build_lock
from cache_tools.store.layout import packed_object
from cache_tools.store.ledger import Ledger
from cache_tools.store.objects import REPAIR, Objects, Url
from cache_tools.store.opening import no_store
from cache_tools.store.reader import StoreReader
from cache_tools.store.root import ROOT, read_root
from cache_tools.store.shard_rows import ShardedRows
from cache_tools.store.writer import HeatmapStore

REPLACE = "put this file back from a copy, or build again into another folder"
BUILD = "run the same `kdcache build` again"


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong with a store."""

    place: str  #: object, array or field, with shard and rows where it belongs to some
    what: str
    remedy: str
    shard: int | None = None

    def __str__(self) -> str:
        """Return one line: the place, what is wrong, what to do."""
        return f"{self.place}: {self.what}; {self.remedy}"


def verify_store(
    store: StoreReader | Url, annotations: str | Path | None = None, *, receipt: bool = True
) -> list[Damage]:
    """Return everything that is wrong with a store, in the order of its parts; nothing when it is whole.

    annotations: the COCO file that its rows should be. receipt: False before there is one.
    Raises FileNotFoundError where there is no store.
    """
    objects = Objects(store.url if isinstance(store, StoreReader) else store)
    try:
        if (data := objects.get(ROOT)) is None:
            raise no_store(objects)
        root = read_root(data, ROOT)
    except ValueError as problem:
        return [Damage(ROOT, _what(problem), REPLACE)]
    found: list[Damage] = []
    for key, recorded in root.objects.items():
        if what := _check_object(objects, key, recorded):
            found.append(Damage(key, what, REPLACE))
    # without these objects the rest cannot be read
    if found:
        return found
    try:
        opened = store if isinstance(store, StoreReader) else StoreReader.open(store)
    except ValueError as problem:
        # sealed, and nothing that kdcache writes
        return [Damage(ROOT, _what(problem), REPLACE)]
    if opened.instances.digest() != opened.spec.annotations.digest:
        found.append(Damage("instances", "the table is not the one whose digest the spec has", REPLACE))
    entries: list[dict[str, Any]] = []
    entries_on_disk = opened.new_ledger()
    for shard in range(opened.shards):
        entry = _read_entry(opened, entries_on_disk, shard)
        if isinstance(entry, Damage):
            found.append(entry)
        else:
            entries.append(entry)
            found += _check_shard(opened, objects, shard, entry)
    # a damaged entry is the cause of a receipt that does not fit
    if receipt and len(entries) == opened.shards and (damage := _check_receipt(opened, objects, entries)):
        found.append(damage)
    if annotations is not None:
        found += _check_table(opened, annotations)
    return found


def forget_damaged(store: HeatmapStore, found: list[Damage]) -> list[int]:
    """Remove damaged shards and a damaged receipt from the ledger of a store that is open to write.

    Returns the shards, which the next build makes again. Raises BlockingIOError where a build is running.
    """
    shards = sorted({damage.shard for damage in found if damage.shard is not None})
    with build_lock(store.url):
        for shard in shards:
            store.forget(shard)
        if any(damage.place == ledger.RECEIPT for damage in found):
            store.forget_receipt()
    return shards


def find_unnamed(store: StoreReader) -> list[int]:
    """Return the shards whose ledger entries do not name their store, because kdcache 0.1 wrote them.

    A shard of another such store, copied here with its entry, would not be noticed in them.
    """
    return [shard for shard in range(store.shards) if store.is_written(shard) and "root" not in store.entry(shard)]


def _check_object(objects: Objects, key: str, recorded: dict[str, Any]) -> str | None:
    """Return what is wrong with an object, or None."""
    try:
        found = objects.fingerprint(key, recorded["bytes"])
    except ValueError as problem:
        return _what(problem)
    if found is None:
        return "missing"
    return None if found == recorded else "its sha256 is another than when it was written"


def _place(store: StoreReader, shard: int) -> str:
    rows = store.shard_rows(shard)
    return f"shard {shard} (rows {rows.start}-{rows.stop - 1})"


def _read_entry(store: StoreReader, entries_on_disk: Ledger, shard: int) -> dict[str, Any] | Damage:
    """Return a shard's ledger entry, or what is wrong with it."""
    place = _place(store, shard)
    try:
        entry = entries_on_disk.entry(shard)
    except ValueError as problem:
        return Damage(f"{place}, {ledger.entry_key(shard)}", _what(problem), REPAIR, shard)
    if entry is not None:
        return entry
    if not _has_receipt(store):
        return Damage(place, "not built yet", BUILD)
    # as long as there is a receipt, a build has nothing to do
    what = "missing, although the store is finished"
    return Damage(f"{place}, {ledger.entry_key(shard)}", what, REPAIR, shard)


def _has_receipt(store: StoreReader) -> bool:
    """Return whether there is a receipt, damaged or not."""
    try:
        return store.is_finished()
    except ValueError:
        return True


def _check_shard(store: StoreReader, objects: Objects, shard: int, entry: dict[str, Any]) -> Iterator[Damage]:
    """Yield what is wrong with the objects of a shard, and with its content where the objects are whole."""
    place, is_whole = _place(store, shard), True
    for key, recorded in entry["objects"].items():
        if what := _check_object(objects, key, recorded):
            is_whole = False
            yield Damage(f"{place}, {key}{_damaged_rows(store, shard, key)}", what, REPAIR, shard)
    if not is_whole:
        return
    rows = np.array(store.shard_rows(shard))
    try:
        yield from _check_codes(store, shard, store.sharded("heatmaps", checks_codes=False))
        if store.spec.views:
            yield from _check_codes(store, shard, store.sharded("views/heatmaps", checks_codes=False))
        store.check_tables(shard)
        if store.spec.crops is not None:
            store.read_crops(rows)
    except ValueError as problem:
        # sealed, and nothing that kdcache writes
        yield Damage(place, _what(problem), REPAIR, shard)


def _damaged_rows(store: StoreReader, shard: int, key: str) -> str:
    """Return `, rows 16-23` for the rows that cannot be read; nothing where the object is not divided by rows."""
    rows, name = np.array(store.shard_rows(shard)), key.split("/c/")[0]
    arrays = {"heatmaps": store.heatmaps, "views/heatmaps": store.view_heatmaps}
    sharded = arrays.get(name)
    read: Callable[[NDArray[np.int64]], object]
    if key == packed_object(shard):
        read, step = store.read_crops, 1
    elif sharded is not None:
        read, step = sharded.read, store.spec.chunk_rows
    else:
        return ""
    bad = []
    for part in np.split(rows, range(step, len(rows), step)):
        try:
            read(part)
        except ValueError:
            bad.append(f"{part[0]}-{part[-1]}")
    return ", rows " + ", ".join(bad[:5]) if bad else ""


def _check_codes(store: StoreReader, shard: int, array: ShardedRows) -> Iterator[Damage]:
    """Yield rows with codes that no encoder writes: NaN, infinity, levels that the codec does not have."""
    rows = np.array(store.shard_rows(shard))
    step = store.spec.chunk_rows * 16
    for part in np.split(rows, range(step, len(rows), step)):
        codes = array.read(part)
        if not store.codec.are_codes(codes):
            wrong = store.codec.find_wrong(codes)
            bad = part[wrong.reshape(len(part), -1).any(axis=1)]
            named = ", ".join(map(str, store.instances.annotation_id[bad[:5]]))
            what = f"codes that are no heatmap, of annotation {named}"
            yield Damage(f"{_place(store, shard)}, {array.name}", what, REPAIR, shard)


def _check_receipt(store: StoreReader, objects: Objects, entries: list[dict[str, Any]]) -> Damage | None:
    try:
        receipt = ledger.read_receipt(objects, store.spec_json)
    except ValueError as problem:
        return Damage(ledger.RECEIPT, _what(problem), REPAIR)
    if receipt is None:
        return Damage(ledger.RECEIPT, "not written yet", BUILD)
    if any(receipt.get(name) != value for name, value in store.receipt_of(entries).items()):
        return Damage(ledger.RECEIPT, "it was written for another ledger than this one", REPAIR)
    return None


def _check_table(store: StoreReader, annotations: str | Path) -> Iterator[Damage]:
    """Yield where the store's rows are not those of the annotation file."""
    given = store.spec.read_instances(annotations)
    if given.digest() == store.spec.annotations.digest:
        return
    remedy = "give the annotation file that the store was made from, or build another store"
    stored_ids, given_ids = set(store.instances.annotation_id.tolist()), set(given.annotation_id.tolist())
    for missing, where in ((stored_ids - given_ids, str(annotations)), (given_ids - stored_ids, store.url)):
        if missing:
            named = ", ".join(map(str, sorted(missing)[:5]))
            what = f"{len(missing)} of its persons are not in {where}, annotation {named} first"
            yield Damage("instances/annotation_id", what, remedy)
    if stored_ids != given_ids:
        return
    for field in fields(Instances):
        found, expected = getattr(store.instances, field.name), getattr(given, field.name)
        pairs = zip(found, expected, strict=True)
        differing = [row for row, (ours, theirs) in enumerate(pairs) if not np.array_equal(ours, theirs)]
        if differing:
            first = store.instances.annotation_id[differing[0]]
            what = f"{len(differing)} rows differ from {annotations}, annotation {first} first"
            yield Damage(f"instances/{field.name}", what, remedy)


def _what(problem: ValueError) -> str:
    """Return the problem without its place and its remedy, which a Damage holds separately."""
    return str(problem).split(" is damaged: ")[-1].removesuffix(f"; {REPAIR}")
