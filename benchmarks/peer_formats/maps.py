"""Readers of heatmaps (17, 64, 48): random batches of 128 rows as float32, one thread each."""

from collections.abc import Callable, Iterator
from functools import partial

import h5py
import numpy as np
import zarr
from numcodecs import zstd
from numpy.typing import NDArray
from peer_formats.data import Maps, PeerData, size_of
from peer_formats.timing import Batch, Epoch, Peer, Reader

from cache_tools.codec import get_codec

BATCH = 128
OURS = ("exact8", "compact", "windows")


def map_peers(data: PeerData) -> list[Peer]:
    """Return the peers of the table of heatmaps."""
    peers = [
        Peer(name=f"kdcache {codec}, {place}", prepare=partial(kdcache_maps, data, codec, place), ours=True)
        for codec in OURS
        for place in ("in memory", "from disk")
    ]
    prepare: dict[str, Callable[[], Reader]] = {
        "FFCV, float16": lambda: ffcv_maps(data),
        "LMDB, uint8 + zstd": lambda: lmdb_maps(data),
        ".npy memory map, uint8": lambda: npy_maps(data, np.uint8),
        ".npy memory map, float16": lambda: npy_maps(data, np.float16),
        "HDF5, float16, a chunk a row": lambda: hdf5_maps(data, None),
        "HDF5, float16, gzip, a chunk a row": lambda: hdf5_maps(data, "gzip"),
        "zarr-python, float16, a chunk a row": lambda: zarr_maps(data),
        "tensorstore, codes of our compact": lambda: tensorstore_maps(data),
    }
    return peers + [Peer(name=name, prepare=make) for name, make in prepare.items()]


def batches_of(data: PeerData, read: Callable[[NDArray[np.int64]], Maps]) -> Epoch:
    """Return the epochs of a format that reads rows in any order."""

    def epoch(number: int) -> Iterator[Batch]:
        for rows in data.order(number, data.batch(BATCH)):
            yield rows, read(rows)

    return epoch


def kdcache_maps(data: PeerData, codec: str, place: str) -> Reader:
    """Write a store, and hold its codes in memory where `place` says that."""
    path = data.folder / place.replace(" ", "-")
    store = PeerData(path, data.photos, data.table, data.teacher)
    store.__dict__["maps"] = data.maps
    written = store.write_store(codec)
    if place == "in memory":
        written.load()
    receipt = written.read_receipt() or {}
    return Reader(bytes_per_row=receipt["bytes_per_row"]["heatmaps"], epoch=batches_of(data, written.read))


def ffcv_maps(data: PeerData) -> Reader:
    """Write FFCV's file of float16 arrays, which is not compressed."""
    from ffcv.fields import IntField, NDArrayField
    from ffcv.fields.decoders import IntDecoder, NDArrayDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.writer import DatasetWriter

    # numba cannot view float16 as bytes, and FFCV's thread would end there without a word
    path, maps = data.folder / "maps.beton", data.maps.astype(np.float16).view(np.int16)
    fields = {"row": IntField(), "maps": NDArrayField(np.dtype("int16"), maps.shape[1:])}
    DatasetWriter(str(path), fields, num_workers=1).from_indexed_dataset(list(enumerate(maps)))
    loader = Loader(
        str(path), batch_size=data.batch(BATCH), num_workers=1, os_cache=True, order=OrderOption.RANDOM,
        drop_last=True, pipelines={"row": [IntDecoder()], "maps": [NDArrayDecoder()]},
    )  # fmt: skip

    def epoch(number: int) -> Iterator[Batch]:
        for rows, values in loader:
            yield np.asarray(rows)[:, 0], np.asarray(values).view(np.float16).astype(np.float32)

    return Reader(bytes_per_row=size_of(path) / len(maps), epoch=epoch)


def lmdb_maps(data: PeerData) -> Reader:
    """Write one value a row: levels of 8 bits, compressed by zstd."""
    import lmdb

    path, levels = data.folder / "maps.lmdb", as_levels(data.maps)
    environment = lmdb.open(str(path), map_size=2**33, readahead=False)
    with environment.begin(write=True) as transaction:
        for row, values in enumerate(levels):
            transaction.put(b"%08d" % row, zstd.compress(values.tobytes(), 9))
    transaction, shape = environment.begin(buffers=True), levels.shape[1:]

    def read(rows: NDArray[np.int64]) -> Maps:
        values = np.empty((len(rows), *shape), np.uint8)
        for out, row in zip(values, rows, strict=True):
            zstd.decompress(transaction.get(b"%08d" % row), out)
        return from_levels(values)

    return Reader(bytes_per_row=size_of(path) / len(levels), epoch=batches_of(data, read))


def npy_maps(data: PeerData, dtype: type[np.uint8] | type[np.float16]) -> Reader:
    """Write one .npy file and map it into memory."""
    path, coded = data.folder / f"{dtype.__name__}.npy", dtype is np.uint8
    np.save(path, as_levels(data.maps) if coded else data.maps.astype(dtype))
    array = np.load(path, mmap_mode="r")
    read = (lambda rows: from_levels(array[rows])) if coded else (lambda rows: array[rows].astype(np.float32))
    return Reader(bytes_per_row=size_of(path) / len(array), epoch=batches_of(data, read))


def hdf5_maps(data: PeerData, compression: str | None) -> Reader:
    """Write one HDF5 data set; row by row is much faster than h5py's list of rows."""
    path = data.folder / f"{compression}.h5"
    with h5py.File(path, "w") as file:
        values = data.maps.astype(np.float16)
        file.create_dataset("maps", data=values, chunks=(1, *values.shape[1:]), compression=compression)
    stored = h5py.File(path, "r")["maps"]
    epoch = batches_of(data, lambda rows: np.stack([stored[row] for row in rows]).astype(np.float32))
    return Reader(bytes_per_row=size_of(path) / len(values), epoch=epoch)


def zarr_maps(data: PeerData) -> Reader:
    """Write a plain Zarr array with its default compressor."""
    path, values = data.folder / "plain.zarr", data.maps.astype(np.float16)
    array = zarr.create_array(path, shape=values.shape, chunks=(1, *values.shape[1:]), dtype="float16")
    array[:] = values
    epoch = batches_of(data, lambda rows: np.asarray(array.oindex[rows], np.float32))
    return Reader(bytes_per_row=size_of(path) / len(values), epoch=epoch)


def tensorstore_maps(data: PeerData) -> Reader:
    """Read the store of the other table by tensorstore, and decode as the store's attributes say."""
    import tensorstore

    path = data.folder / "compact-crops.zarr" / "heatmaps"
    array = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
    codec = get_codec("compact")
    epoch = batches_of(data, lambda rows: codec.decode(np.asarray(array[rows].read().result())))
    return Reader(bytes_per_row=size_of(path) / len(data.table), epoch=epoch)


def as_levels(maps: Maps) -> NDArray[np.uint8]:
    """Return values of 0 to 1 as 256 levels; those below .01 are 0, as `exact8` has them."""
    return np.asarray(np.rint(np.where(maps < 0.01, 0, maps) * 255), np.uint8)


def from_levels(levels: NDArray[np.uint8]) -> Maps:
    """Return levels as values of 0 to 1."""
    return np.multiply(levels, np.float32(1 / 255), dtype=np.float32)
