"""Read a store: its rows, its geometry, its ledger. HeatmapStore in writer.py adds creating and writing."""

from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools import geometry
from cache_tools.codec.profiles import Codes, Maps
from cache_tools.codec.stored_codec import StoredCodec
from cache_tools.instances import Instances
from cache_tools.store import ledger
from cache_tools.store.crop_files import CropShards
from cache_tools.store.layout import shard_keys
from cache_tools.store.ledger import Ledger
from cache_tools.store.limits import largest_objects
from cache_tools.store.objects import REPAIR, Objects, Url
from cache_tools.store.opening import Parsed, malformed, parse_root, read_checked
from cache_tools.store.root import ROOT, Root
from cache_tools.store.sealed_json import fingerprint
from cache_tools.store.shard_rows import ShardedRows
from cache_tools.store.shard_tables import ShardTables
from cache_tools.store.spec import StoreSpec
from cache_tools.store.stored_views import StoredViews
from cache_tools.store.tables import check_lengths, check_metadata, read_instances, static_keys


class StoreReader:
    """One store, to read; safe from several threads. Use it as HeatmapStore, which can also write."""

    def __init__(self, objects: Objects, root: Root, parsed: Parsed, writable: bool, table: bool = True) -> None:
        """Read the objects that belong to no shard and decode the instance table; `open` calls this."""
        self.url, self._objects, self._writable = objects.url, objects, writable
        # with the fields that only another version of kdcache knows
        self.spec_json = root.spec
        self.spec, self.codec = parsed
        check_lengths(root.objects, self.spec)
        self._static = {key: read_checked(objects, key, root.objects[key]) for key in static_keys(root.objects, table)}
        check_metadata(self._static, self.spec, self.codec.code_shape, self.codec.dtype)
        self._table = read_instances(self._static, self.spec, self.url) if table else None
        self._root_sha256 = root.sha256
        self._ledger = self.new_ledger()
        self.heatmaps = self.sharded("heatmaps")
        self.view_heatmaps = self.sharded("views/heatmaps") if self.spec.views else None
        self._tables = ShardTables(self.spec, self.url, self._read_checked)
        self._crops = CropShards(
            objects=objects,
            tables=self._tables,
            shards=self.shards,
            shard_rows=self.spec.shard_rows,
            read_checked=self._read_checked,
            object_bytes=self._object_bytes,
        )

    @classmethod
    def open(cls, url: Url, expect: StoreSpec | None = None, mode: str = "r", *, table: bool = True) -> Self:
        """Open the store at `url`, to read ("r") or to add shards ("r+").

        table: False for a process that only writes shards of persons that it is given: of a million persons, the
        instance table takes seconds and most of a gigabyte.
        Raises CacheMismatch where it differs from `expect`, FileNotFoundError where there is none, ValueError where it
        is damaged.
        """
        if mode not in ("r", "r+"):
            raise ValueError(f'mode {mode!r}: expected "r" or "r+"')
        objects = Objects(url, write=mode == "r+")
        root, parsed = parse_root(objects)
        if expect is not None:
            expect.check(parsed.spec, objects.url)
        with malformed(objects.url):
            return cls(objects, root, parsed, mode == "r+", table)

    @classmethod
    def codec_at(cls, url: Url) -> StoredCodec:
        """Return the codec of the store at `url`; only its root is read. FileNotFoundError where there is none."""
        return parse_root(Objects(url))[1].codec

    @classmethod
    def exists(cls, url: Url) -> bool:
        """Return whether there is a store at `url`; False where the creation of one was interrupted."""
        return Objects(url).get(ROOT) is not None

    @property
    def instances(self) -> Instances:
        """The instance table."""
        return self._whole_table()[0]

    @property
    def crop_to_image(self) -> geometry.Matrix:
        """Matrix (N, 2, 3) of each row from teacher crop pixel to image pixel."""
        return self._whole_table()[1]

    @property
    def rows(self) -> int:
        """Number of persons."""
        return self.spec.rows

    @property
    def shards(self) -> int:
        """Number of shards, written or not."""
        return -(-self.rows // self.spec.shard_rows)

    def shard_rows(self, shard: int) -> range:
        """Return the rows of a shard; ValueError where there is no such shard."""
        if not 0 <= shard < self.shards:
            raise ValueError(f"shard {shard}: {self.url} has shards 0 to {self.shards - 1}")
        return range(shard * self.spec.shard_rows, min((shard + 1) * self.spec.shard_rows, self.rows))

    def pending(self) -> list[int]:
        """Return the shards that are not written, by whichever process; reads the ledger again each time."""
        return [] if self.is_finished() else [shard for shard in range(self.shards) if not self.is_written(shard)]

    def is_written(self, shard: int) -> bool:
        """Return whether a shard is written, as the ledger says."""
        self.shard_rows(shard)
        return self._ledger.entry(shard) is not None

    def is_finished(self) -> bool:
        """Return whether the receipt is written."""
        return self.read_receipt() is not None

    def read_receipt(self) -> dict[str, Any] | None:
        """Return the receipt that `finalize` wrote, or None before it; ValueError where it is damaged."""
        return ledger.read_receipt(self._objects, self.spec_json)

    def receipt_of(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the receipt of this store with these ledger entries, one a shard."""
        self._whole_table()
        static = {key: fingerprint(data) for key, data in self._static.items()}
        return ledger.make_receipt(self.spec_json, static, entries)

    @property
    def cell_to_crop(self) -> geometry.Matrix:
        """Matrix (2, 3) from heatmap cell to teacher crop pixel."""
        return np.array(self.spec.frame.cell_to_crop)

    def measured_error(self) -> dict[str, float]:
        """Return the codec's error on the rows measured so far: the keys of codec.error.summarize_errors."""
        entries = map(self._ledger.entry, range(self.shards))
        return ledger.measured_error(entry for entry in entries if entry is not None)

    def row_errors(self) -> dict[int, dict[str, Any]]:
        """Return the codec's error on each measured row, as codec.error.error_of_row has it."""
        entries = [self.entry(shard) for shard in range(self.shards)]
        return {int(row): error for entry in entries for row, error in entry["errors"].items()}

    def load(self, *, views: bool = False, crops: bool = False) -> None:
        """Hold the codes in memory (14 kB a row in `compact`), and views and crops if requested.

        No disk is read afterwards.
        """
        self.heatmaps.load()
        if views and self.view_heatmaps is not None:
            self.view_heatmaps.load()
        if crops:
            self._crops_or_refuse().load()

    def read(self, rows: ArrayLike) -> Maps:
        """Return heatmaps (B, 17, h, w) float32 of rows in any order.

        Raises IndexError for rows that the store does not have, ValueError where what is read is damaged or not
        written yet; the other `read_` methods do the same.
        """
        return self.codec.decode(self.read_codes(rows))

    def read_codes(self, rows: ArrayLike) -> Codes:
        """Return codes (B, 17, h', w') of rows, to be decoded elsewhere, such as on a GPU."""
        return self.heatmaps.read(self._indices(rows))

    def read_views(self, rows: ArrayLike) -> StoredViews:
        """Return the K stored augmentations of rows, decoded."""
        codes, crop_to_image, flipped = self.read_view_codes(rows)
        return StoredViews(self.codec.decode(codes), crop_to_image, flipped)

    def read_view_codes(self, rows: ArrayLike) -> tuple[Codes, geometry.Matrix, NDArray[np.bool_]]:
        """Return codes (B, K, 17, h', w'), crop_to_image (B, K, 2, 3) and flipped (B, K) of rows."""
        if self.view_heatmaps is None:
            raise ValueError(f"{self.url} holds no views: build it with --views K")
        index = self._indices(rows)
        return self.view_heatmaps.read(index), self._view_crop_to_image[index], self._view_flipped[index]

    def read_crops(self, rows: ArrayLike) -> list[bytes]:
        """Return the JPEG file of each row's crop, checked; `cache_tools.crops.decode_crop` decodes one."""
        return self._crops_or_refuse().read(self._indices(rows))

    def read_crop_matrices(self, rows: ArrayLike) -> geometry.Matrix:
        """Return the matrix (B, 2, 3) from stored-crop pixel to image pixel of each row."""
        return self._crop_matrices[self._indices(rows)]

    def read_crop_sizes(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Return height and width (B, 2) of each row's stored crop."""
        return self._crop_index[self._indices(rows), 3:]

    def read_crop_geometry(self, row: int) -> tuple[geometry.Matrix, tuple[int, int]]:
        """Return the matrix (2, 3) from stored-crop pixel to image pixel of a row, and its crop's height and width.

        Only the row's own shard has to be written.
        """
        shard, place = divmod(row, self.spec.shard_rows)
        height, width = self._crops_or_refuse().index(shard)[place, 3:].tolist()
        return self._tables.of_shard("crops/pixel_to_image", shard)[place], (height, width)

    def check_tables(self, shard: int) -> None:
        """Raise ValueError where the geometry of a shard's views and crops, or the index of its crops, is damaged."""
        if self.spec.views:
            self._tables.of_shard("views/crop_to_image", shard)
            self._tables.of_shard("views/flipped", shard)
        if self.spec.crops is not None:
            self._tables.of_shard("crops/pixel_to_image", shard)
            self._crops.index(shard)

    def entry(self, shard: int) -> dict[str, Any]:
        """Return a shard's ledger entry; ValueError where the shard is not written."""
        rows, entry = self.shard_rows(shard), self._ledger.entry(shard)
        if entry is None:
            raise ValueError(
                f"{self.url}: shard {shard} (rows {rows.start}-{rows.stop - 1}) is not built yet: "
                "run the same `kdcache build` again to finish the store"
            )
        return entry

    def new_ledger(self) -> Ledger:
        """Return the store's ledger, of which nothing is read yet."""
        return Ledger(
            self._objects,
            root=self._root_sha256,
            shards=self.shards,
            rows_of=self.shard_rows,
            keys_of=partial(shard_keys, self.spec),
        )

    def sharded(self, name: str, *, checks_codes: bool = True) -> ShardedRows:
        """Return one of the two arrays of codes. checks_codes: refuse chunks that no encoder wrote."""
        views = () if name == "heatmaps" else (self.spec.views,)
        return ShardedRows(
            objects=self._objects,
            name=name,
            shape=(self.rows, *views, self.spec.joints, *self.codec.code_shape),
            dtype=self.codec.dtype,
            shard_rows=self.spec.shard_rows,
            chunk_rows=self.spec.chunk_rows,
            object_bytes=self._object_bytes,
            are_codes=self.codec.are_codes if checks_codes else lambda codes: True,
        )

    def _whole_table(self) -> tuple[Instances, geometry.Matrix]:
        if self._table is None:
            raise RuntimeError(f"{self.url} was opened without its instance table: open it with table=True")
        return self._table

    def _object_bytes(self, shard: int, key: str) -> int:
        return int(self._recorded(shard, key)["bytes"])

    def _read_checked(self, shard: int, key: str) -> bytes:
        return read_checked(self._objects, key, self._recorded(shard, key))

    def _recorded(self, shard: int, key: str) -> dict[str, Any]:
        """Return the fingerprint of an object of a shard; ValueError where its length is none of such an object."""
        recorded: dict[str, Any] = self.entry(shard)["objects"][key]
        limit = largest_objects(self.spec, self.codec, shard).get(key)
        if limit is not None and recorded["bytes"] > limit:
            raise ValueError(
                f"{self.url}/{ledger.entry_key(shard)} records {recorded['bytes']} bytes for {key}: expected at most "
                f"{limit}; {REPAIR}"
            )
        return recorded

    @cached_property
    def _view_crop_to_image(self) -> geometry.Matrix:
        return self._tables.of_all_shards("views/crop_to_image")

    @cached_property
    def _view_flipped(self) -> NDArray[np.bool_]:
        return self._tables.of_all_shards("views/flipped")

    @cached_property
    def _crop_matrices(self) -> geometry.Matrix:
        self._crops_or_refuse()
        return self._tables.of_all_shards("crops/pixel_to_image")

    @cached_property
    def _crop_index(self) -> NDArray[np.int64]:
        self._crops_or_refuse()
        return np.concatenate([self._crops.index(shard) for shard in range(self.shards)])

    def _crops_or_refuse(self) -> CropShards:
        if self.spec.crops is None:
            raise ValueError(f"{self.url} holds no crops: build it with --crops, or give the folder of photos")
        return self._crops

    def _indices(self, rows: ArrayLike) -> NDArray[np.int64]:
        index = np.asarray(rows, np.int64).reshape(-1)
        if len(index) and (index.min() < 0 or index.max() >= self.rows):
            raise IndexError(f"rows {index.min()} to {index.max()}: {self.url} has rows 0 to {self.rows - 1}")
        return index
