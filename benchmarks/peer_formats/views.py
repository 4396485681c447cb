"""Readers of augmented views (256x192, uint8 RGB) of the same stored JPEG crops, one thread each.

LMDB, plain files, MosaicML streaming and webdataset hand out the JPEG bytes, which `cv2.imdecode` and `cv2.warpAffine`
make a view of, as pose repositories do. DALI decodes and warps by its own operators. FFCV encodes the pixels again, in
4:2:0, and has no rotation: it reads a random resized crop, which is less work.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from peer_formats.data import INPUT, PeerData, size_of
from peer_formats.timing import Batch, Epoch, Peer, Reader

from cache_tools.crops import decode_crop
from cache_tools.geometry import Matrix
from student.augment_recipes import recipe
from student.batches.kept_pixels import KeptPixels
from student.batches.loader import TrainLoader
from student.batches.pixel_source import PixelSource
from student.batches.stream import StreamSettings

BATCH = 32
KEPT = "kdcache, views, pixels kept in memory"
#: enough for all crops at every density
KEPT_BYTES = 2**40
#: part of a crop's area that a view shows on average, for FFCV's random resized crop
AREA = (0.25, 0.55)


def view_peers(data: PeerData, epochs: int) -> list[Peer]:
    """Return the peers of the table of views."""
    prepare: dict[str, Callable[[], Reader]] = {
        KEPT: lambda: kdcache_views(data, kept=True),
        "kdcache, views, JPEG in every epoch": lambda: kdcache_views(data, kept=False),
        "kdcache, views + targets + teacher's maps": lambda: kdcache_batches(data, epochs),
        "LMDB + cv2": lambda: lmdb_views(data),
        "files + cv2": lambda: file_views(data),
        "MosaicML streaming + cv2": lambda: streaming_views(data),
        "webdataset + cv2": lambda: webdataset_views(data),
        "DALI (CPU)": lambda: dali_views(data),
        "FFCV, JPEG, random resized crop": lambda: ffcv_views(data, "jpg"),
        "FFCV, raw pixels, random resized crop": lambda: ffcv_views(data, "raw"),
    }
    return [Peer(name=name, prepare=make, ours=name == KEPT) for name, make in prepare.items()]


def kdcache_views(data: PeerData, *, kept: bool) -> Reader:
    """Cut the views by the code of training. kept: crops are decoded in the first epoch and kept in memory."""
    sizes = data.store.read_crop_sizes(np.arange(len(data.table)))
    pixels = PixelSource(data.store, kept=KeptPixels(sizes, KEPT_BYTES) if kept else None)

    def epoch(number: int) -> Iterator[Batch]:
        views = data.views(number)
        for rows in data.order(number, data.batch(BATCH)):
            crops = np.empty((data.batch(BATCH), *INPUT, 3), np.uint8)
            pixels.cut(rows, [(views[rows], crops)])
            yield rows, crops

    return Reader(bytes_per_row=crop_bytes(data), epoch=epoch)


def kdcache_batches(data: PeerData, epochs: int) -> Reader:
    """Run the loader of training: normalised images, Gaussian targets, replayed teacher's maps."""
    settings = StreamSettings(
        input_size=INPUT, heatmap_size=(64, 48), sigma=2.0, augment=recipe("vitpose"), replay="peaks", live=False,
        batch_size=data.batch(BATCH), epochs=epochs, seed=0, max_rows=None, workers=1, pixels="memory",
    )  # fmt: skip
    loader, batches = TrainLoader([data.store], settings), len(data.table) // data.batch(BATCH)

    def epoch(number: int) -> Iterator[Batch]:
        for batch in loader.batches(number * batches, (number + 1) * batches):
            yield batch.plan.rows, batch.images.numpy()

    receipt = data.store.read_receipt() or {}
    total = crop_bytes(data) + receipt["bytes_per_row"]["heatmaps"]
    return Reader(bytes_per_row=total, epoch=epoch, comparable=False)


def from_jpegs(data: PeerData, read: Callable[[int], Any]) -> Epoch:
    """Return the epochs of a format that reads one row's JPEG file."""

    def epoch(number: int) -> Iterator[Batch]:
        matrices = data.views_in_crops(number)
        for rows in data.order(number, data.batch(BATCH)):
            crops = np.empty((data.batch(BATCH), *INPUT, 3), np.uint8)
            for crop, row in zip(crops, rows, strict=True):
                cut_jpeg(read(int(row)), matrices[row], crop)
            yield rows, crops

    return epoch


def from_stream(data: PeerData, samples: Callable[[], Iterator[tuple[int, bytes]]]) -> Epoch:
    """Return the epochs of a format that hands out (row, JPEG file) in its own order."""

    def epoch(number: int) -> Iterator[Batch]:
        matrices, rows = data.views_in_crops(number), list[int]()
        crops = np.empty((data.batch(BATCH), *INPUT, 3), np.uint8)
        for row, jpeg in samples():
            cut_jpeg(jpeg, matrices[row], crops[len(rows)])
            rows.append(row)
            if len(rows) == len(crops):
                yield np.array(rows), crops
                rows, crops = [], np.empty_like(crops)

    return epoch


def cut_jpeg(jpeg: Any, view_to_crop: Matrix, out: NDArray[np.uint8]) -> None:
    """Decode a JPEG file and cut a view of it, by OpenCV."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    cv2.warpAffine(pixels, view_to_crop, INPUT[::-1], dst=out, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def lmdb_views(data: PeerData) -> Reader:
    """Write one value a row."""
    import lmdb

    path = data.folder / "lmdb"
    environment = lmdb.open(str(path), map_size=2**33, readahead=False)
    with environment.begin(write=True) as transaction:
        for row, jpeg in enumerate(data.crops):
            transaction.put(b"%08d" % row, jpeg)
    transaction = environment.begin(buffers=True)
    epoch = from_jpegs(data, lambda row: transaction.get(b"%08d" % row))
    return Reader(bytes_per_row=size_of(path) / len(data.crops), epoch=epoch)


def file_views(data: PeerData) -> Reader:
    """Write one JPEG file a row."""
    folder = data.folder / "jpeg"
    folder.mkdir()
    for row, jpeg in enumerate(data.crops):
        (folder / f"{row}.jpg").write_bytes(jpeg)
    epoch = from_jpegs(data, lambda row: (folder / f"{row}.jpg").read_bytes())
    return Reader(bytes_per_row=size_of(folder) / len(data.crops), epoch=epoch)


def streaming_views(data: PeerData) -> Reader:
    """Write MosaicML's shards, which it shuffles."""
    import streaming

    folder = data.folder / "mds"
    with streaming.MDSWriter(out=str(folder), columns={"row": "int", "jpeg": "bytes"}) as writer:
        for row, jpeg in enumerate(data.crops):
            writer.write({"row": row, "jpeg": jpeg})
    dataset = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=data.batch(BATCH))
    epoch = from_stream(data, lambda: ((sample["row"], sample["jpeg"]) for sample in dataset))
    return Reader(bytes_per_row=size_of(folder) / len(data.crops), epoch=epoch)


def webdataset_views(data: PeerData) -> Reader:
    """Write tar files of 256 rows, shuffled by shards and in a buffer."""
    import webdataset

    folder = data.folder / "wds"
    folder.mkdir()
    paths = []
    for first in range(0, len(data.crops), 256):
        paths.append(str(folder / f"{first:06d}.tar"))
        with tarfile.open(paths[-1], "w") as file:
            for row, jpeg in enumerate(data.crops[first : first + 256], first):
                entry = tarfile.TarInfo(f"{row}.jpg")
                entry.size = len(jpeg)
                file.addfile(entry, io.BytesIO(jpeg))
    dataset = webdataset.WebDataset(paths, shardshuffle=len(paths), seed=0).shuffle(256)
    epoch = from_stream(data, lambda: ((int(sample["__key__"]), sample["jpg"]) for sample in dataset))
    return Reader(bytes_per_row=size_of(folder) / len(data.crops), epoch=epoch)


def dali_views(data: PeerData) -> Reader:
    """Feed DALI the bytes and the matrices; it decodes and warps."""
    from nvidia.dali import fn, pipeline_def, types

    source: list[Iterator[NDArray[np.int64]]] = [iter(())]
    matrices: list[Matrix] = [np.empty(0)]
    half = np.array([0.5, 0.5])

    def feed() -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
        rows = next(source[0])
        matrix = matrices[0][rows].copy()
        # its pixel centres lie at halves
        matrix[:, :, 2] += half - matrix[:, :, :2] @ half
        return [np.frombuffer(data.crops[row], np.uint8) for row in rows], matrix.astype(np.float32)

    @pipeline_def(batch_size=data.batch(BATCH), num_threads=1, device_id=None, prefetch_queue_depth=1)
    def pipeline() -> Any:
        jpegs, matrix = fn.external_source(source=feed, num_outputs=2)
        pixels = fn.decoders.image(jpegs, device="cpu", output_type=types.RGB)
        return fn.warp_affine(pixels, matrix=matrix, size=INPUT, fill_value=0, inverse_map=True)

    built = pipeline()
    built.build()

    def epoch(number: int) -> Iterator[Batch]:
        order = data.order(number, data.batch(BATCH))
        # one batch more, which it prefetches
        source[0], matrices[0] = iter([*order, order[0]]), data.views_in_crops(number)
        if number:
            built.run()
        for rows in order:
            yield rows, np.stack([np.asarray(view) for view in built.run()[0]])

    return Reader(bytes_per_row=crop_bytes(data), epoch=epoch)


def ffcv_views(data: PeerData, mode: str) -> Reader:
    """Write FFCV's file, of JPEG images at the quality of the crops or of pixels."""
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.writer import DatasetWriter

    path = data.folder / f"{mode}.beton"
    fields = {"row": IntField(), "image": RGBImageField(write_mode=mode, jpeg_quality=90)}
    DatasetWriter(str(path), fields, num_workers=1).from_indexed_dataset(IndexedPixels(data.crops))
    ratio = INPUT[1] / INPUT[0]
    loader = Loader(
        str(path), batch_size=data.batch(BATCH), num_workers=1, os_cache=True, order=OrderOption.RANDOM, drop_last=True,
        pipelines={
            "row": [IntDecoder()],
            "image": [RandomResizedCropRGBImageDecoder(INPUT, scale=AREA, ratio=(ratio, ratio * 1.001))],
        },
    )  # fmt: skip

    def epoch(number: int) -> Iterator[Batch]:
        for rows, pixels in loader:
            yield np.asarray(rows)[:, 0], np.asarray(pixels)

    return Reader(bytes_per_row=size_of(path) / len(data.crops), epoch=epoch, comparable=False)


class IndexedPixels:
    """The crops as FFCV's writer takes them: pixels by index."""

    def __init__(self, crops: list[bytes]) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, row: int) -> tuple[int, NDArray[np.uint8]]:
        return row, decode_crop(self.crops[row])


def crop_bytes(data: PeerData) -> float:
    """Return the mean bytes of a crop's file."""
    return sum(map(len, data.crops)) / len(data.crops)
