"""Join stores of different persons, built on different machines, into one."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.instances import Instances
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.spec import AnnotationsSpec, CacheMismatch, StoreSpec
from cache_tools.store.writer import HeatmapStore, Url


def merge_stores(sources: Sequence[Url], target: Url) -> dict[str, Any]:
    """Write a store of all rows of `sources` at `target` and return its receipt; codes are copied, not encoded anew.

    Interrupted, it resumes. Raises CacheMismatch where specs differ in more than their rows, ValueError where two
    stores hold the same person or one is not finished.
    """
    stores = [HeatmapStore.open(url) for url in sources]
    if len(stores) < 2:
        raise ValueError(f"{len(stores)} store to merge: expected two or more")
    for store in stores:
        if not store.is_finished():
            raise ValueError(f"{store.url} is not finished: run its `kdcache build` again, then merge")
        _refuse_other_spec(stores[0], store)
    _refuse_overlap(stores)
    table, store_of, row_of = joined_table(stores)
    made = HeatmapStore.open_or_create(target, joined_spec(stores, table), table)
    for shard in made.pending():
        made.write_shard(_copied_shard(stores, made, shard, store_of, row_of))
    return made.finalize()


def joined_table(stores: Sequence[HeatmapStore]) -> tuple[Instances, NDArray[np.int64], NDArray[np.int64]]:
    """All persons in a store's order (image id, annotation id), and for each its store and its row there."""
    tables = [store.instances for store in stores]
    arrays = {f.name: [getattr(t, f.name) for t in tables] for f in fields(Instances) if f.name != "file_name"}
    names = tuple(name for t in tables for name in t.file_name)
    whole = Instances(**{name: np.concatenate(parts) for name, parts in arrays.items()}, file_name=names)
    order = np.lexsort((whole.annotation_id, whole.image_id))
    store_of = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
    row_of = np.concatenate([np.arange(len(t)) for t in tables])
    return whole.take(order), store_of[order], row_of[order]


def joined_spec(stores: Sequence[HeatmapStore], table: Instances) -> StoreSpec:
    """The first store's spec, of all rows."""
    read = [store.spec.annotations for store in stores]
    source = "; ".join(sorted({annotations.source for annotations in read}))
    annotations = AnnotationsSpec(table.digest(), source, all(each.labelled for each in read))
    return replace(stores[0].spec, rows=len(table), annotations=annotations)


def _refuse_other_spec(first: HeatmapStore, other: HeatmapStore) -> None:
    differences = first.spec.without_rows().differences(other.spec.without_rows())
    if first.codec.to_json() != other.codec.to_json():
        differences.append("codec: the same name with other matrices")
    if differences:
        raise CacheMismatch(
            f"{other.url} cannot join {first.url}:\n  " + "\n  ".join(differences) + "\n"
            "Only stores that differ in nothing but their persons can be merged."
        )


def _refuse_overlap(stores: Sequence[HeatmapStore]) -> None:
    for i, first in enumerate(stores):
        for other in stores[i + 1 :]:
            common = np.intersect1d(first.instances.annotation_id, other.instances.annotation_id)
            if len(common):
                named = ", ".join(map(str, common[:5]))
                raise ValueError(
                    f"{first.url} and {other.url} both hold annotation {named}"
                    f"{f' and {len(common) - 5} more' if len(common) > 5 else ''}: expected stores of different persons"
                )


def _copied_shard(
    stores: Sequence[HeatmapStore],
    made: HeatmapStore,
    shard: int,
    store_of: NDArray[np.int64],
    row_of: NDArray[np.int64],
) -> ShardContent:
    """Return a shard of copied rows, with the codec's errors measured when they were made."""
    content = made.new_shard(shard)
    rows = np.array(content.rows)
    for index, store in enumerate(stores):
        here = rows[store_of[rows] == index]
        there = row_of[here]
        if not len(here):
            continue
        content.copy_rows(here, store, there)
        measured = store.row_errors()
        pairs = zip(here.tolist(), there.tolist(), strict=True)
        content.errors |= {row: measured[source] for row, source in pairs if source in measured}
    if shard == 0:
        content.clamped = _clamped(stores)
    return content


def _clamped(stores: Sequence[HeatmapStore]) -> dict[str, int]:
    """Counted per shard of the sources, not per row: the first shard carries them all."""
    counts = [store.entry(shard)["clamped"] for store in stores for shard in range(store.shards)]
    return {side: sum(count[side] for count in counts) for side in ("below", "above")}
