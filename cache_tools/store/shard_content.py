"""The content of one shard, collected batch by batch: heatmaps are encoded as they arrive, crops come with them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.codec.encode_maps import encode_maps
from cache_tools.codec.error import error_of_row, rows_to_measure
from cache_tools.codec.profiles import Codes, Maps
from cache_tools.codec.windows import WindowsCodec
from cache_tools.crops import StoredCrop
from cache_tools.store.crop_files import pack_crops
from cache_tools.store.layout import VIEW_ARRAYS
from cache_tools.store.reader import StoreReader


class ShardContent:
    """All rows of one shard, in any order of arrival; made by `HeatmapStore.new_shard`, for one thread.

    content = store.new_shard(shard)
    for rows, maps, crops in batches:
        content.add(rows, maps, crops)
    store.write_shard(content)
    """

    def __init__(self, store: StoreReader, shard: int, annotation_id: NDArray[np.int64]) -> None:
        """Make room for the rows of a shard. annotation_id: (n,) of its rows, for errors."""
        self._annotation_id = annotation_id
        self.store, self.shard, self.rows = store, shard, store.shard_rows(shard)
        self.clamped = {"below": 0, "above": 0}
        #: maps that do not fit the codec `windows`; None: another codec
        self.unfit = 0 if isinstance(store.codec, WindowsCodec) else None
        self.errors: dict[int, dict[str, Any]] = {}  #: error_of_row of each measured row
        spec, n = store.spec, len(self.rows)
        self._arrays: dict[str, NDArray[Any]] = {"heatmaps": self._codes()}
        self._jpegs, self._crop_size = [b""] * n, np.zeros((n, 2), np.int64)
        if spec.crops is not None:
            self._arrays["crops/pixel_to_image"] = np.zeros((n, 2, 3))
        if spec.views:
            self._arrays["views/heatmaps"] = self._codes(spec.views)
            self._arrays["views/crop_to_image"] = np.zeros((n, spec.views, 2, 3))
            self._arrays["views/flipped"] = np.zeros((n, spec.views), bool)
        self._measured = set(rows_to_measure(store.rows).tolist()) & set(self.rows)
        self._added = np.zeros(n, bool)
        self._views_added = np.full(n, spec.views == 0)

    def add(self, rows: ArrayLike, maps: Maps, crops: Sequence[StoredCrop] | None = None) -> None:
        """Add heatmaps (B, 17, h, w) of rows of the store, and their crops where the store holds crops.

        Raises ValueError naming the annotations whose maps are not finite; where shapes do not fit; where crops are
        missing or not expected; for a row of another shard, and for one that was added before.
        """
        self._check_expected("crops", crops is not None, self.store.spec.crops is not None)
        places = self._places(rows, self._added)
        codes = self._encode(places, maps, ())
        self._arrays["heatmaps"][places] = codes
        for place, exact, code in zip(places.tolist(), maps, codes, strict=True):
            if (row := self.rows[place]) in self._measured:
                self.errors[row] = error_of_row(np.asarray(exact, np.float32), self.store.codec.decode(code))
        if crops is not None:
            self._add_crops(places, crops)
        self._added[places] = True

    def add_views(self, rows: ArrayLike, maps: Maps, crop_to_image: ArrayLike, flipped: ArrayLike) -> None:
        """Add K augmented views of rows: maps (B, K, 17, h, w), crop_to_image (B, K, 2, 3) and flipped (B, K).

        Raises ValueError as `add` does.
        """
        count = self.store.spec.views
        self._check_expected("views", True, count > 0)
        places = self._places(rows, self._views_added)
        matrices = _shaped(crop_to_image, (len(places), count, 2, 3), "crop_to_image")
        flips = _shaped(flipped, (len(places), count), "flipped")
        codes = self._encode(places, maps, (count,))
        for name, values in zip(VIEW_ARRAYS, (codes, matrices, flips), strict=True):
            self._arrays[name][places] = values
        self._views_added[places] = True

    def copy_rows(self, rows: ArrayLike, source: StoreReader, source_rows: NDArray[np.int64]) -> None:
        """Copy rows of another store with the same codec, crops and views, codes as they are."""
        places = self._places(rows, self._added)
        self._arrays["heatmaps"][places] = source.read_codes(source_rows)
        if self.store.spec.views:
            for name, values in zip(VIEW_ARRAYS, source.read_view_codes(source_rows), strict=True):
                self._arrays[name][places] = values
        if self.store.spec.crops is not None:
            matrices, sizes = source.read_crop_matrices(source_rows), source.read_crop_sizes(source_rows)
            jpegs = source.read_crops(source_rows)
            self._add_crops(places, [StoredCrop(*crop) for crop in zip(jpegs, matrices, sizes, strict=True)])
        self._added[places] = self._views_added[places] = True

    def finished_arrays(self) -> tuple[dict[str, NDArray[Any]], bytes | None]:
        """Return the arrays as stored, by name, and the object of the crops' JPEG files; ValueError where rows miss."""
        for what, added in (("heatmaps", self._added), ("views", self._views_added)):
            if not added.all():
                first = self.rows[int(np.argmin(added))]
                raise ValueError(
                    f"shard {self.shard} has {what} of {added.sum()} of its {len(self.rows)} rows, row {first} is the "
                    "first without: add every row of the shard, then write it"
                )
        if self.store.spec.crops is None:
            return self._arrays, None
        packed, index = pack_crops(self._jpegs, self._crop_size)
        return self._arrays | {"crops/index": index}, packed

    def _codes(self, *views: int) -> Codes:
        codec = self.store.codec
        return np.zeros((len(self.rows), *views, self.store.spec.joints, *codec.code_shape), codec.dtype)

    def _encode(self, places: NDArray[np.int64], maps: Maps, views: tuple[int, ...]) -> Codes:
        expected = (len(places), *views, self.store.spec.joints, *self.store.codec.heatmap_size)
        if maps.shape != expected:
            raise ValueError(f"heatmaps of shape {maps.shape}: expected {expected}")
        codes, clamped = encode_maps(self.store.codec, maps, self._annotation_id[places])
        for side, count in clamped.items():
            self.clamped[side] += count
        if self.unfit is not None and isinstance(self.store.codec, WindowsCodec):
            self.unfit += self.store.codec.count_unfit(maps, codes)
        return codes

    def _add_crops(self, places: NDArray[np.int64], crops: Sequence[StoredCrop]) -> None:
        if len(crops) != len(places):
            raise ValueError(f"{len(crops)} crops: expected {len(places)}, one a row")
        for place, crop in zip(places.tolist(), crops, strict=True):
            self._jpegs[place] = crop.jpeg
            self._crop_size[place] = crop.size
            self._arrays["crops/pixel_to_image"][place] = _shaped(crop.pixel_to_image, (2, 3), "crop.pixel_to_image")

    def _places(self, rows: ArrayLike, added: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the position in the shard of each row."""
        places = np.asarray(rows, np.int64).reshape(-1) - self.rows.start
        outside = (places < 0) | (places >= len(self.rows))
        if outside.any():
            row = self.rows.start + int(places[outside][0])
            raise ValueError(
                f"row {row} is not one of shard {self.shard}: expected rows {self.rows.start}-{self.rows.stop - 1}"
            )
        if added[places].any() or len(np.unique(places)) < len(places):
            raise ValueError(f"shard {self.shard}: a row was added twice; add each row once")
        return places

    def _check_expected(self, what: str, given: bool, expected: bool) -> None:
        if given != expected:
            raise ValueError(
                f"{what} {'given' if given else 'not given'}: the store at {self.store.url} is made "
                f"{'with' if expected else 'without'} {what}"
            )


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}")
    return array
