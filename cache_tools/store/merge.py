"""Merge stores of different persons, built on different machines, into one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.store.build_lock import build_lock
from cache_tools.store.objects import Url
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.spec import AnnotationsSpec, CacheMismatch, StoreSpec
from cache_tools.store.writer import HeatmapStore


@dataclass(frozen=True)
class _Row:
    """Where each row of the merged store comes from."""

    store: NDArray[np.int64]  #: (N,) index of the source
    row: NDArray[np.int64]  #: (N,) row of that source


def merge_stores(sources: Sequence[Url], target: Url) -> dict[str, Any]:
    """Write a store of all rows of `sources` at `target`, codes copied as they are; return its receipt.

    An interrupted merge resumes. Raises CacheMismatch where specs differ in more than their rows, ValueError where two
    stores hold the same person or one is not finished, BlockingIOError where another process writes `target`.
    """
    stores = [HeatmapStore.open(url) for url in sources]
    if len(stores) < 2:
        raise ValueError(f"{len(stores)} store to merge: expected two or more")
    for store in stores:
        if not store.is_finished():
            raise ValueError(f"{store.url} is not finished: run its `kdcache build` again, then merge")
        _check_same_spec(stores[0], store)
    for first, other in combinations(stores, 2):
        _check_other_persons(first, other)
    with build_lock(target):
        return _write_merged(stores, target)


def _write_merged(stores: Sequence[HeatmapStore], target: Url) -> dict[str, Any]:
    """Write the missing shards of the merged store and return its receipt."""
    table, origin = _merged_table(stores)
    merged = HeatmapStore.open_or_create(target, _merged_spec(stores, table), table, stores[0].codec)
    errors = [store.row_errors() for store in stores]
    for shard in merged.pending():
        content = merged.new_shard(shard)
        for index, store in enumerate(stores):
            _copy_rows(content, store, origin, index, errors[index])
        # sources count clamped values and unfit maps by shard, not by row: the first merged shard holds all counts
        if shard == 0:
            content.clamped = _clamped(stores)
            if content.unfit is not None:
                content.unfit = sum(
                    store.entry(shard).get("unfit", 0) for store in stores for shard in range(store.shards)
                )
        merged.write_shard(content)
    return merged.finalize()


def _copy_rows(
    content: ShardContent, store: HeatmapStore, origin: _Row, index: int, errors: dict[int, dict[str, Any]]
) -> None:
    """Add the rows of a shard that come from store number `index`, with their measured errors."""
    rows = np.array(content.rows)
    rows = rows[origin.store[rows] == index]
    source_rows = origin.row[rows]
    if len(rows):
        content.copy_rows(rows, store, source_rows)
    for row, source_row in zip(rows.tolist(), source_rows.tolist(), strict=True):
        if source_row in errors:
            content.errors[row] = errors[source_row]


def _merged_table(stores: Sequence[HeatmapStore]) -> tuple[Instances, _Row]:
    """Return all persons in the order of a store (image id, annotation id), and where each comes from."""
    tables = [store.instances for store in stores]
    arrays = {}
    for field in fields(Instances):
        if field.name != "file_name":
            arrays[field.name] = np.concatenate([getattr(table, field.name) for table in tables])
    names = tuple(name for table in tables for name in table.file_name)
    table = Instances(**arrays, file_name=names)
    order = np.lexsort((table.annotation_id, table.image_id))
    store_of = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
    row_of = np.concatenate([np.arange(len(t)) for t in tables])
    return table.take(order), _Row(store_of[order], row_of[order])


def _merged_spec(stores: Sequence[HeatmapStore], table: Instances) -> StoreSpec:
    """Return the spec of the first store, with all rows."""
    specs = [store.spec.annotations for store in stores]
    source = "; ".join(sorted({spec.source for spec in specs}))
    categories = tuple(sorted({number for spec in specs for number in spec.categories}))
    labelled = all(spec.labelled for spec in specs)
    annotations = AnnotationsSpec(table.digest(), source, labelled, categories=categories)
    return replace(stores[0].spec, rows=len(table), annotations=annotations)


def _check_same_spec(first: HeatmapStore, other: HeatmapStore) -> None:
    differences = first.spec.without_rows().differences(other.spec.without_rows())
    if first.codec.to_json() != other.codec.to_json():
        differences.append("codec: the same name with other matrices")
    if differences:
        raise CacheMismatch(
            f"{other.url} cannot be merged with {first.url}:\n  " + "\n  ".join(differences) + "\n"
            "Only stores that differ in nothing but their persons can be merged."
        )


def _check_other_persons(first: HeatmapStore, other: HeatmapStore) -> None:
    common = np.intersect1d(first.instances.annotation_id, other.instances.annotation_id)
    if len(common):
        named = ", ".join(map(str, common[:5])) + (f" and {len(common) - 5} more" if len(common) > 5 else "")
        raise ValueError(
            f"{first.url} and {other.url} both hold annotation {named}: expected stores of different persons"
        )


def _clamped(stores: Sequence[HeatmapStore]) -> dict[str, int]:
    """Return the number of clamped values of all stores."""
    counts = [store.entry(shard)["clamped"] for store in stores for shard in range(store.shards)]
    return {side: sum(count[side] for count in counts) for side in ("below", "above")}
