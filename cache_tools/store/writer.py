"""HeatmapStore: a teacher's heatmaps on disk, one row a person, small, checked and self-describing.

    store = HeatmapStore.open_or_create(url, spec, instances)
    for shard in store.pending():                       # resumes by itself: only the ledger says what is done
        store.write_shard(shard, maps_of(store.shard_rows(shard)))
    store.finalize()

    store = HeatmapStore.open(url, expect=spec)         # CacheMismatch where it is another cache
    store.read([5, 0, 7])                               # (3, 17, 64, 48) float32

Shards may be written by several processes at once, each shard by one; a shard is written whole or not at all.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.codec.encode_rows import Batches, encode_rows
from cache_tools.codec.error import measured_rows
from cache_tools.instances import Instances
from cache_tools.store import ledger
from cache_tools.store.crop_files import pack_crops
from cache_tools.store.layout import ROOT, shard_objects, skeleton
from cache_tools.store.objects import PARTIAL, Objects, fingerprint
from cache_tools.store.reader import StoreReader, Url, Views
from cache_tools.store.spec import StoreSpec

__all__ = ["HeatmapStore", "Views"]


class HeatmapStore(StoreReader):
    """A store that can be made and filled. Made by `create`, `open` or `open_or_create`."""

    @classmethod
    def create(cls, url: Url, spec: StoreSpec, instances: Instances) -> Self:
        """A new store without shards; FileExistsError where there is one, ValueError where other files are."""
        if len(instances) != spec.rows or instances.digest != spec.annotations.digest:
            raise ValueError(
                f"the spec is of {spec.rows} rows with digest {spec.annotations.digest[:12]}, the instance table has "
                f"{len(instances)} rows with digest {instances.digest[:12]}: make the spec from this table"
            )
        objects = Objects(url, write=True)
        if objects.get(ROOT) is not None:
            raise FileExistsError(f"{objects.url} already holds a store: open it, or build into another folder")
        _refuse_foreign_files(objects)
        made = skeleton(spec, instances)
        for key, data in made.items():  # the root is last: before it, there is no store
            objects.set(key, data)
        return cls.open(url, expect=spec, mode="r+")

    @classmethod
    def open_or_create(cls, url: Url, spec: StoreSpec, instances: Instances) -> Self:
        """The store of exactly this spec, made if need be, ready for its pending shards."""
        if Objects(url, write=True).get(ROOT) is not None:
            return cls.open(url, expect=spec, mode="r+")
        return cls.create(url, spec, instances)

    def write_shard(
        self,
        shard: int,
        maps: Batches,
        crops: Sequence[bytes] | None = None,
        crop_pixel_to_image: ArrayLike | None = None,
        crop_size: ArrayLike | None = None,
        views: Views | None = None,
    ) -> dict[str, Any]:
        """Write all rows of a shard, then its ledger entry, which is returned. A shard that is done is left as it is.

        maps: (n, 17, h, w) float32, whole or as an iterable of pieces in row order. crops: n JPEG files with
        crop_pixel_to_image (n, 2, 3) and crop_size (n, 2) height, width. Crops and views are part of the spec.
        Raises ValueError naming the annotations whose maps are not finite, or where shapes don't fit.
        """
        if (entry := self._find_entry(shard)) is not None:
            return entry
        for what, given, expected in (
            ("crops", crops is not None, self.spec.crops is not None),
            ("views", views is not None, self.spec.views > 0),
        ):
            if given != expected:
                raise ValueError(
                    f"{what} {'given' if given else 'not given'}: the store at {self.url} is made "
                    f"{'with' if expected else 'without'} {what}"
                )
        rows, joints = self.shard_rows(shard), self.spec.joints
        n, ids = len(rows), self.instances.annotation_id[rows.start : rows.stop]
        measured = set(measured_rows(self.rows).tolist())
        arrays: dict[str, NDArray[Any]] = {}
        jpeg = None
        arrays["heatmaps"], clamped, errors = encode_rows(self.codec, maps, (joints,), rows, ids, measured)
        if views is not None:
            shape = (self.spec.views, joints)
            arrays["views/heatmaps"], more, _ = encode_rows(self.codec, views.maps, shape, rows, ids)
            clamped = {side: clamped[side] + more[side] for side in clamped}
            arrays["views/crop_to_image"] = _shaped(
                views.crop_to_image, (n, self.spec.views, 2, 3), "views.crop_to_image"
            )
            arrays["views/flipped"] = _shaped(views.flipped, (n, self.spec.views), "views.flipped").astype(bool)
        if crops is not None:
            if len(crops) != n:
                raise ValueError(f"{len(crops)} crops: expected {n}, one a row")
            jpeg, arrays["crops/index"] = pack_crops(crops, _shaped(crop_size, (n, 2), "crop_size"))
            arrays["crops/pixel_to_image"] = _shaped(crop_pixel_to_image, (n, 2, 3), "crop_pixel_to_image")
        return self.write_encoded(shard, arrays, jpeg, clamped, errors)

    def write_encoded(
        self,
        shard: int,
        arrays: dict[str, NDArray[Any]],
        jpeg: bytes | None,
        clamped: dict[str, int],
        errors: dict[int, Any],
    ) -> dict[str, Any]:
        """Write a shard from arrays as they are stored: `write_shard` ends here, and merging begins here."""
        if not self._writable:
            raise ValueError(f'{self.url} is open to read: open it with mode="r+" to write')
        rows = self.shard_rows(shard)
        written = shard_objects(self._static, self.spec, rows, shard, arrays, jpeg)
        for key, data in written.items():
            self._objects.set(key, data)
        entry = ledger.make_entry(rows, written, clamped, errors)
        ledger.write_entry(self._objects, shard, entry)
        self._entries[shard] = entry
        return entry

    def finalize(self) -> dict[str, Any]:
        """Write the receipt, last of all, and return it; ValueError naming the shards that are missing."""
        if (receipt := self.receipt) is not None:
            return receipt
        if missing := self.pending():
            raise ValueError(
                f"{self.url} is not finished: {len(missing)} of {self.shards} shards are missing "
                f"({', '.join(map(str, missing[:10]))}{'...' if len(missing) > 10 else ''}); "
                "run the same `kdcache build` again"
            )
        self._objects.clear_partial()
        receipt = self.make_receipt()
        ledger.write_receipt(self._objects, receipt)
        return receipt

    def make_receipt(self) -> dict[str, Any]:
        """The receipt that the ledger as it stands leads to; ValueError where a shard is not done."""
        static = {key: fingerprint(data) for key, data in self._static.items()}
        return ledger.make_receipt(self.spec_json, static, [self.entry(shard) for shard in range(self.shards)])

    def forget(self, shard: int) -> None:
        """Strike a shard off the ledger, receipt first, so that `build` makes it again."""
        self._objects.delete(ledger.RECEIPT)
        self._objects.delete(ledger.entry_key(shard))
        self._entries.pop(shard, None)


def _shaped(values: ArrayLike | None, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if values is None or array.shape != shape:
        raise ValueError(f"{name} has shape {None if values is None else array.shape}: expected {shape}")
    return array


def _refuse_foreign_files(objects: Objects) -> None:
    """A folder is taken only when it is empty or holds what an interrupted creation leaves."""
    ours = {"heatmaps", "instances", "crops", "views"}
    if objects.folder is not None and objects.folder.is_dir():
        foreign = sorted(
            p.name for p in objects.folder.iterdir() if p.name not in ours and not p.name.endswith(PARTIAL)
        )
        if foreign:
            raise ValueError(
                f"{objects.url} holds other files ({', '.join(foreign[:3])}...): build into an empty folder"
            )
