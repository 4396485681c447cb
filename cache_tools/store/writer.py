"""HeatmapStore: a teacher's heatmaps on disk, one row a person, small, checked and self-describing.

    store = HeatmapStore.open_or_create(url, spec, instances)
    for shard in store.pending():                       # a resumed build finds the shards that are missing
        content = store.new_shard(shard)
        content.add(content.rows, maps)                 # (n, 17, 64, 48) float32, whole or in batches
        store.write_shard(content)
    store.finalize()

    store = HeatmapStore.open(url, expect=spec)         # CacheMismatch where it is another cache
    store.read([5, 0, 7])                               # (3, 17, 64, 48) float32

Several processes may write shards at once, each shard by one process; a shard is written whole or not at all.
"""

import contextlib
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.stored_codec import StoredCodec, codec_of
from cache_tools.instances import Instances
from cache_tools.store import ledger
from cache_tools.store.build_lock import LOCK
from cache_tools.store.layout import empty_store, shard_objects
from cache_tools.store.limits import check_sizes
from cache_tools.store.objects import REPAIR, Objects, Url
from cache_tools.store.reader import StoreReader
from cache_tools.store.root import ROOT
from cache_tools.store.shard_content import ShardContent
from cache_tools.store.spec import StoreSpec

# What an interrupted creation leaves in a store's folder.
OWN_FOLDERS = {"heatmaps", "instances", "crops", "views"}


class HeatmapStore(StoreReader):
    """A store that can be made, filled and read; `create`, `open` and `open_or_create` return one."""

    @classmethod
    def create(cls, url: Url, spec: StoreSpec, instances: Instances, codec: StoredCodec | None = None) -> Self:
        """Create a store without shards.

        codec: with its basis where the spec has one; None: the profile that the spec names.
        Raises FileExistsError where there is one, ValueError where there are other files, and where the spec was made
        from another instance table.
        """
        if len(instances) != spec.rows or instances.digest() != spec.annotations.digest:
            raise ValueError(
                f"the spec is of {spec.rows} rows with digest {spec.annotations.digest[:12]}, the instance table has "
                f"{len(instances)} rows with digest {instances.digest()[:12]}: make the spec from this table"
            )
        codec = codec or codec_of(spec.codec, spec.frame.heatmap_size)
        check_sizes(spec, codec)
        objects = Objects(url, write=True)
        exists = FileExistsError(f"{objects.url} already holds a store: open it, or build into another folder")
        if objects.get(ROOT) is not None:
            raise exists
        if foreign := objects.foreign_files({*OWN_FOLDERS, LOCK}):
            raise ValueError(
                f"{objects.url} holds other files ({', '.join(foreign[:3])}...): build into an empty folder"
            )
        shards = range(-(-spec.rows // spec.shard_rows))
        # storage that is not listed: what a deleted root leaves would count for the new one
        for key in (ledger.RECEIPT, *map(ledger.entry_key, shards)):
            if objects.folder is None and objects.get(key) is not None:
                raise ValueError(
                    f"{objects.url} holds {key} of a store whose {ROOT} is gone: delete all of it, or build elsewhere"
                )
        new = empty_store(spec, instances, codec)
        root = new.pop(ROOT)
        for key, data in new.items():
            objects.set(key, data)
        # the last of them: before it is written, there is no store; two creators that start together get one root
        try:
            objects.create(ROOT, root)
        except FileExistsError:
            raise exists from None
        return cls.open(url, expect=spec, mode="r+")

    @classmethod
    def open_or_create(cls, url: Url, spec: StoreSpec, instances: Instances, codec: StoredCodec | None = None) -> Self:
        """Open the store of exactly this spec to write its pending shards; create it where there is none.

        codec: as `create` takes it.
        """
        if Objects(url, write=True).get(ROOT) is None:
            # another process may create it in the same moment
            with contextlib.suppress(FileExistsError):
                return cls.create(url, spec, instances, codec)
        return cls.open(url, expect=spec, mode="r+")

    def new_shard(self, shard: int, annotation_id: NDArray[np.int64] | None = None) -> ShardContent:
        """Return the empty content of a shard: add its rows, then give it to `write_shard`.

        annotation_id: (n,) of its rows, for errors, where the store was opened without its table.
        """
        if annotation_id is None:
            rows = self.shard_rows(shard)
            annotation_id = self.instances.annotation_id[rows.start : rows.stop]
        return ShardContent(self, shard, annotation_id)

    def write_shard(self, content: ShardContent) -> dict[str, Any]:
        """Write a shard, then its ledger entry, which is returned; leave a shard that is written as it is.

        Raises ValueError where rows are missing, where the content was made for another store, and where this one is
        open only to read.
        """
        if content.store is not self:
            raise ValueError(f"the content was made for the store at {content.store.url}: expected {self.url}")
        entry = self._ledger.entry(content.shard)
        if entry is not None:
            return entry
        if not self._writable:
            raise ValueError(f'{self.url} is open to read: open it with mode="r+" to write')
        arrays, packed_crops = content.finished_arrays()
        written = shard_objects(
            static=self._static,
            spec=self.spec,
            rows=content.rows,
            shard=content.shard,
            arrays=arrays,
            packed_crops=packed_crops,
        )
        for key, data in written.items():
            self._objects.set(key, data)
        entry = ledger.make_entry(content.rows, written, content.clamped, content.errors, content.unfit)
        return self._ledger.write(content.shard, entry)

    def finalize(self) -> dict[str, Any]:
        """Write the receipt, the last object, and return it.

        Raises ValueError naming the shards that are missing, and where there is a receipt of another ledger.
        """
        found = self.read_receipt()
        if found is not None:
            self._check_receipt(found)
            return found
        if missing := self.pending():
            raise ValueError(
                f"{self.url} is not finished: {len(missing)} of {self.shards} shards are missing "
                f"({', '.join(map(str, missing[:10]))}{'...' if len(missing) > 10 else ''}); "
                "run the same `kdcache build` again"
            )
        self._objects.remove_temporaries()
        receipt = self.receipt_of([self.entry(shard) for shard in range(self.shards)])
        ledger.write_receipt(self._objects, receipt)
        return receipt

    def _check_receipt(self, found: dict[str, Any]) -> None:
        """Raise ValueError where a receipt is not that of the ledger."""
        if missing := [shard for shard in range(self.shards) if not self.is_written(shard)]:
            raise ValueError(
                f"{self.url}/{ledger.entry_key(missing[0])} is missing, although the store is finished; {REPAIR}"
            )
        expected = self.receipt_of([self.entry(shard) for shard in range(self.shards)])
        if differing := [name for name, value in expected.items() if found.get(name) != value]:
            raise ValueError(
                f"{self.url}/{ledger.RECEIPT} was written for another ledger than this one: it differs in "
                f"{', '.join(differing)}; {REPAIR}"
            )

    def forget(self, shard: int) -> None:
        """Remove the ledger entry of a shard, after the receipt: the next build makes the shard again."""
        self.forget_receipt()
        self._ledger.forget(shard)

    def forget_receipt(self) -> None:
        """Remove the receipt: the next build verifies the store and writes another."""
        self._objects.delete(ledger.RECEIPT)


def open_store(url: Url, expect: StoreSpec | None = None) -> HeatmapStore:
    """Open the store at a path or url to read it.

    Raises CacheMismatch where it differs from `expect`, FileNotFoundError where there is none.
    """
    return HeatmapStore.open(url, expect)
