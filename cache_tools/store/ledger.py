"""The ledger: one entry for each shard that is written, with the checksums of its objects; and the receipt.

An entry is written after its shard's objects, and a shard without an entry does not count. Each entry names its shard
and, by the root's sha256, its store: that of another store is refused, although its checksums hold.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any

from cache_tools.codec import error
from cache_tools.json_types import is_number
from cache_tools.store.compared_fields import digest_of_spec
from cache_tools.store.json_checks import check_fingerprints, is_count, is_sha256
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.sealed_json import fingerprint, from_bytes, seal, to_bytes, unseal

RECEIPT = "receipt.json"
# Fields by which an entry names its store and its shard. kdcache 0.1 wrote none; digests do not depend on them.
OWNERSHIP = ("root", "shard")
SIDES = ("below", "above")
# Parts of a store whose bytes the receipt counts.
PARTS = ("heatmaps", "views", "crops", "instances")


class Ledger:
    """The entries of one store. An entry that was read is kept; one that is not there yet is looked for each time."""

    def __init__(
        self,
        objects: Objects,
        *,
        root: str,
        shards: int,
        rows_of: Callable[[int], range],
        keys_of: Callable[[int], Collection[str]],
    ) -> None:
        """Keep what checking needs. root: the root's sha256. rows_of, keys_of: rows and objects of a shard."""
        self._objects, self._root, self._shards = objects, root, shards
        self._rows_of, self._keys_of = rows_of, keys_of
        self._entries: dict[int, dict[str, Any]] = {}
        self._of_0_1: bool | None = None

    def entry(self, shard: int) -> dict[str, Any] | None:
        """Return a shard's entry, or None where the shard is not written.

        Raises ValueError where the entry is damaged, of another shard or of another store.
        """
        entry = self._read_once(shard)
        if entry is not None and "root" not in entry and not self._is_of_0_1():
            raise ValueError(
                f"{self._where(shard)} does not name its store, others of this ledger do: it is from a store of "
                f"kdcache 0.1; {REPAIR}"
            )
        return entry

    def write(self, shard: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Write a shard's entry, which is returned; all of the shard's objects must be written before.

        The ledger of a store that kdcache 0.1 began goes on without names of store and shard.
        """
        named = dict(entry) if self._is_of_0_1() else {**entry, "root": self._root, "shard": shard}
        self._objects.set(entry_key(shard), to_bytes(seal(named)))
        self._entries[shard] = named
        return named

    def forget(self, shard: int) -> None:
        """Remove a shard's entry."""
        self._objects.delete(entry_key(shard))
        self._entries.pop(shard, None)

    def _read_once(self, shard: int) -> dict[str, Any] | None:
        """Return a shard's checked entry, whichever kdcache wrote it; None where there is none."""
        if shard in self._entries:
            return self._entries[shard]
        entry, where = _read_sealed(self._objects, entry_key(shard)), self._where(shard)
        if entry is None:
            return None
        try:
            self._check_owner(entry, shard, where)
            _check_entry(entry, self._rows_of(shard), self._keys_of(shard), where)
        except ValueError as problem:
            raise ValueError(f"{problem}; {REPAIR}") from None
        self._entries[shard] = entry
        return entry

    def _check_owner(self, entry: Mapping[str, Any], shard: int, where: str) -> None:
        if "root" in entry and entry["root"] != self._root:
            raise ValueError(f"{where} belongs to another store: its root's sha256 is not this store's")
        if entry.get("shard", shard) != shard:
            raise ValueError(f"{where} belongs to shard {entry['shard']!r:.20}: expected shard {shard}")

    def _is_of_0_1(self) -> bool:
        """Return whether no entry names its store, and there is one: such a store was begun by kdcache 0.1."""
        if self._of_0_1 is None:
            found = filter(None, map(self._entry_or_none, range(self._shards)))
            first = next(found, None)
            if first is None:
                return False
            # a store of today is known by its first entry, that of 0.1 by all
            self._of_0_1 = "root" not in first and not any("root" in entry for entry in found)
        return self._of_0_1

    def _entry_or_none(self, shard: int) -> dict[str, Any] | None:
        try:
            return self._read_once(shard)
        except ValueError:
            # its own reader reports it
            return None

    def _where(self, shard: int) -> str:
        return f"{self._objects.url}/{entry_key(shard)}"


def entry_key(shard: int) -> str:
    """Return the key of a shard's entry."""
    return f"ledger/{shard}.json"


def make_entry(
    rows: range,
    written: Mapping[str, bytes],
    clamped: Mapping[str, int],
    errors: Mapping[int, dict[str, Any]],
    unfit: int | None = None,
) -> dict[str, Any]:
    """Return a shard's entry, before it names its store.

    written: the shard's objects. clamped: numbers of values `below` 0 and `above` 1.
    errors: error_of_row of each measured row. unfit: number of maps that do not fit the codec `windows`; else None.
    """
    entry = {
        "rows": [rows.start, rows.stop],
        "objects": {key: fingerprint(data) for key, data in sorted(written.items())},
        "clamped": dict(clamped),
        "errors": {str(row): errors[row] for row in sorted(errors)},
    }
    return entry if unfit is None else entry | {"unfit": unfit}


def read_receipt(objects: Objects, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the receipt of a finished store, or None; ValueError when it is damaged or of another store.

    spec: the store's, as JSON.
    """
    receipt, where = _read_sealed(objects, RECEIPT), f"{objects.url}/{RECEIPT}"
    if receipt is None:
        return None
    if receipt.get("spec") != spec:
        raise ValueError(f"{where} belongs to another store: its spec is not this store's; {REPAIR}")
    names = {"bytes": PARTS, "bytes_per_row": PARTS, "clamped": SIDES, "error": tuple(error.summarize_errors([]))}
    are_numbers = all(_are_numbers(receipt.get(field), expected) for field, expected in names.items())
    are_numbers = are_numbers and is_count(receipt.get("unfit", 0))
    if receipt.get("rows") != spec["rows"] or not are_numbers or not is_sha256(receipt.get("digest")):
        raise ValueError(f"{where} is damaged: its rows, sizes, errors or digest are not those of a store; {REPAIR}")
    return receipt


def measured_error(entries: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the codec's error on the rows measured so far: the keys of error.summarize_errors."""
    # In order of rows, because an entry just made and one read from JSON have other orders: the sums are then equal to
    # the last bit.
    errors = [entry["errors"][row] for entry in entries for row in sorted(entry["errors"], key=int)]
    return error.summarize_errors(errors)


def make_receipt(spec: Mapping[str, Any], static: Mapping[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the receipt of a store: digest, rows, bytes, clamped values, measured error, spec.

    spec: its JSON, as the root has it. static: fingerprints of the objects that belong to no shard.
    """
    bytes_of = dict.fromkeys(PARTS, 0)
    for recorded in [static, *(entry["objects"] for entry in entries)]:
        for key, printed in recorded.items():
            part = key.split("/")[0]
            if part in bytes_of:
                bytes_of[part] += printed["bytes"]
    anonymous = [{name: value for name, value in entry.items() if name not in OWNERSHIP} for entry in entries]
    content = to_bytes({"spec": digest_of_spec(spec), "static": static, "ledger": anonymous})
    receipt = {
        "digest": sha256(content).hexdigest(),
        "rows": spec["rows"],
        "bytes": bytes_of,
        "bytes_per_row": {part: round(total / spec["rows"], 1) for part, total in bytes_of.items()},
        "clamped": {side: sum(entry["clamped"][side] for entry in entries) for side in SIDES},
        "error": measured_error(entries),
        "spec": spec,
    }
    return receipt | {"unfit": sum(entry.get("unfit", 0) for entry in entries)} if "basis" in spec else receipt


def write_receipt(objects: Objects, receipt: Mapping[str, Any]) -> None:
    """Write the receipt, the last object of a store."""
    objects.set(RECEIPT, to_bytes(seal(receipt)))


def _read_sealed(objects: Objects, key: str) -> dict[str, Any] | None:
    data, where = objects.get(key), f"{objects.url}/{key}"
    try:
        return None if data is None else unseal(from_bytes(data, where), where)
    except ValueError as problem:
        raise ValueError(f"{problem}; {REPAIR}") from problem


def _check_entry(entry: Mapping[str, Any], rows: range, keys: Collection[str], where: str) -> None:
    """Raise ValueError where an entry is not one of these rows and these objects."""
    if entry.get("rows") != [rows.start, rows.stop]:
        raise ValueError(f"{where} is of rows {entry.get('rows')!r:.40}: expected {rows.start} to {rows.stop}")
    check_fingerprints(entry.get("objects"), where)
    if missing := sorted(set(keys) - entry["objects"].keys()):
        raise ValueError(f"{where} does not record {missing[0]}: expected the checksum of each object of the shard")
    clamped, errors = entry.get("clamped"), entry.get("errors")
    if not (isinstance(clamped, Mapping) and all(is_count(clamped.get(side)) for side in SIDES)):
        raise ValueError(f"{where} has clamped {clamped!r:.60}: expected the numbers `below` and `above`")
    if not is_count(entry.get("unfit", 0)):
        raise ValueError(f"{where} has unfit {entry['unfit']!r:.60}: expected a number of maps")
    if not (isinstance(errors, Mapping) and all(_is_error(row, error, rows) for row, error in errors.items())):
        raise ValueError(f"{where} has errors that are no measurement of its rows")


def _is_error(row: str, measured: Any, rows: range) -> bool:
    """Return whether `measured` is what error_of_row returns, of one of `rows`."""
    if not (row.isdecimal() and len(row) < 16 and int(row) in rows and isinstance(measured, Mapping)):
        return False
    shift = measured.get("shift")
    if not isinstance(shift, list) or not is_count(measured.get("peak_cells")):
        return False
    numbers = [measured.get(name) for name in ("square_sum", "max_error", "cosine")]
    return all(map(is_number, [*numbers, *shift])) and measured["square_sum"] >= 0


def _are_numbers(values: Any, names: Collection[str]) -> bool:
    """Return whether `values` maps all of `names`, and maybe others, to numbers."""
    return isinstance(values, Mapping) and values.keys() >= set(names) and all(map(is_number, values.values()))
