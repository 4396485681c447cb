"""The ledger: one entry for each shard that is written, with the checksums of its objects; and the receipt.

An entry is written after its shard's objects, and a shard without an entry does not count.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from cache_tools.codec import error
from cache_tools.store.compared_fields import digest_of_spec
from cache_tools.store.objects import REPAIR, Objects
from cache_tools.store.sealed_json import fingerprint, from_bytes, seal, to_bytes, unseal

RECEIPT = "receipt.json"


def entry_key(shard: int) -> str:
    """Return the key of a shard's entry."""
    return f"ledger/{shard}.json"


def make_entry(
    rows: range, written: Mapping[str, bytes], clamped: Mapping[str, int], errors: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    """Return a shard's entry.

    written: the shard's objects. clamped: numbers of values `below` 0 and `above` 1.
    errors: error_of_row of each measured row.
    """
    return {
        "rows": [rows.start, rows.stop],
        "objects": {key: fingerprint(data) for key, data in sorted(written.items())},
        "clamped": dict(clamped),
        "errors": {str(row): errors[row] for row in sorted(errors)},
    }


def write_entry(objects: Objects, shard: int, entry: Mapping[str, Any]) -> None:
    """Write a shard's entry; all of the shard's objects must be written before."""
    objects.set(entry_key(shard), to_bytes(seal(entry)))


def read_entry(objects: Objects, shard: int) -> dict[str, Any] | None:
    """Return a shard's entry, or None where the shard is not written; ValueError when the entry is damaged."""
    return _read_sealed(objects, entry_key(shard))


def read_receipt(objects: Objects) -> dict[str, Any] | None:
    """Return the receipt of a finished store, or None; ValueError when it is damaged."""
    return _read_sealed(objects, RECEIPT)


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
    bytes_of = {"heatmaps": 0, "views": 0, "crops": 0, "instances": 0}
    for recorded in [static, *(entry["objects"] for entry in entries)]:
        for key, printed in recorded.items():
            part = key.split("/")[0]
            if part in bytes_of:
                bytes_of[part] += printed["bytes"]
    content = to_bytes({"spec": digest_of_spec(spec), "static": static, "ledger": entries})
    return {
        "digest": sha256(content).hexdigest(),
        "rows": spec["rows"],
        "bytes": bytes_of,
        "bytes_per_row": {part: round(total / spec["rows"], 1) for part, total in bytes_of.items()},
        "clamped": {side: sum(entry["clamped"][side] for entry in entries) for side in ("below", "above")},
        "error": measured_error(entries),
        "spec": spec,
    }


def write_receipt(objects: Objects, receipt: Mapping[str, Any]) -> None:
    """Write the receipt, the last object of a store."""
    objects.set(RECEIPT, to_bytes(seal(receipt)))


def _read_sealed(objects: Objects, key: str) -> dict[str, Any] | None:
    data, where = objects.get(key), f"{objects.url}/{key}"
    try:
        return None if data is None else unseal(from_bytes(data, where), where)
    except ValueError as problem:
        raise ValueError(f"{problem}; {REPAIR}") from problem
