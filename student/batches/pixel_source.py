"""The pixels of a batch: JPEG bytes from the store, or photos from a folder, cut to the student's views.

Decoding (libjpeg-turbo) and cutting (OpenCV) both run without the GIL: threads are enough, and nothing is copied
between processes.
"""

from pathlib import Path
from threading import local
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, apply, compose, invert
from cache_tools.images import HALVED_FROM, Image, cut, read_image
from cache_tools.photos.jpeg_parts import part_of
from cache_tools.store.writer import HeatmapStore
from student.batches.kept_pixels import SHRINKS, KeptPixels


class Canvas(NamedTuple):
    """Pixels of a part of a crop."""

    #: (h, w, 4) BGRA
    pixels: Image
    #: of the part, in pixels of the crop
    left: int
    top: int

    def part(self, region: list[int]) -> Image:
        """Return the pixels of a region (left, top, right, bottom) of the crop."""
        left, top, right, bottom = region
        return self.pixels[top - self.top : bottom - self.top, left - self.left : right - self.left]


class PixelSource:
    """The pixels of each row, from the store's crops or from the folder of photos.

    kept: stored crops that are decoded once. Raises ValueError where the store holds no crops and no folder is given,
    FileNotFoundError for a missing folder.
    """

    def __init__(self, store: HeatmapStore, folder: str | Path | None = None, kept: KeptPixels | None = None) -> None:
        self.store, self.folder, self.kept = store, None if folder is None else Path(folder), kept
        #: whether pixels come from the store
        self.stored = folder is None
        if self.stored and store.spec.crops is None:
            raise ValueError(f"{store.url} holds no crops: give the folder of photos, or build it with --crops")
        if self.folder is not None and not self.folder.is_dir():
            raise FileNotFoundError(f"there is no folder of photos at {self.folder}: give the one that --images named")
        # OpenCV would start threads of its own in each of ours
        cv2.setNumThreads(1)
        self._scratch = local()

    def cut(self, rows: NDArray[np.int64], views: list[tuple[Matrix, NDArray[np.uint8]]]) -> None:
        """Fill each crop array (B, H, W, 3) through its matrices (B, 2, 3), crop pixel -> image pixel.

        Several views of one row share one decoding. Bilinear, black outside.
        """
        shrinks = self.shrinks(rows, np.min([pixel_size(matrix) for matrix, _ in views], axis=0))
        if not self.stored:
            self._cut_photos(rows, shrinks, views)
            return
        image_to_canvas = invert(self.canvas_to_image(rows, shrinks))
        to_canvas = [compose(matrix, image_to_canvas) for matrix, _ in views]
        sizes = self.canvas_sizes(rows, shrinks)
        pairs = list(zip(to_canvas, (crops for _, crops in views), strict=True))
        seen = [seen_regions(matrices, crops.shape[1:3], sizes) for matrices, crops in pairs]
        # from pixels of the region, which begin at its corner
        for matrices, regions in zip(to_canvas, seen, strict=True):
            matrices[:, :, 2] -= regions[:, :2]
        needed = np.concatenate([np.min(seen, axis=0)[:, :2], np.max(seen, axis=0)[:, 2:]], axis=1)
        for index, row in enumerate(rows.tolist()):
            canvas = self._canvas(row, int(shrinks[index]), sizes[index].tolist(), needed[index].tolist())
            for (matrices, crops), regions in zip(pairs, seen, strict=True):
                cut(canvas.part(regions[index].tolist()), matrices[index], crops.shape[1:3], out=crops[index])

    def _cut_photos(
        self, rows: NDArray[np.int64], shrinks: NDArray[np.int64], views: list[tuple[Matrix, NDArray[np.uint8]]]
    ) -> None:
        for index, row in enumerate(rows.tolist()):
            photo, to_image = self.photo(row, int(shrinks[index]))
            for matrices, crops in views:
                cut(photo, compose(matrices[index], invert(to_image)), crops.shape[1:3], out=crops[index])

    def shrinks(self, rows: NDArray[np.int64], view_pixel: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return by how much the pixels of rows are shrunk, (B,) of SHRINKS, for views of these pixels (B,).

        view_pixel: image pixels per view pixel. Where pixels are at least twice as dense as the view's they are
        averaged to half their size or less, because sampling them bilinearly would alias.
        """
        density = view_pixel / pixel_size(self.store.read_crop_matrices(rows)) if self.stored else view_pixel
        shrinks: NDArray[np.int64] = np.array(SHRINKS)[(density[:, None] >= SHRINKS[1:]).sum(1)]
        return shrinks

    def canvas_sizes(self, rows: NDArray[np.int64], shrinks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return height and width (B, 2) of stored crops that are shrunk by `shrinks` (B,)."""
        return -(-self.store.read_crop_sizes(rows) // shrinks[:, None])

    def canvas_to_image(self, rows: NDArray[np.int64], shrinks: NDArray[np.int64]) -> Matrix:
        """Return the matrices (B, 2, 3) from pixels of stored crops, shrunk by `shrinks` (B,), to the image."""
        # pixel x of a shrunk crop is the mean of pixels shrink * x to shrink * x + shrink - 1
        grow = np.zeros((len(rows), 2, 3))
        grow[:, [0, 1], [0, 1]] = shrinks[:, None]
        grow[:, :, 2] = (shrinks[:, None] - 1) / 2
        matrices = self.store.read_crop_matrices(rows)
        return np.where(shrinks[:, None, None] == 1, matrices, compose(grow, matrices))

    def photo(self, row: int, shrink: int) -> tuple[Image, Matrix]:
        """Return a row's photo (h, w, 3) shrunk, and the matrix (2, 3) from its pixels to the image."""
        assert self.folder is not None
        height, width = map(int, self.store.instances.image_size[row])
        path = self.folder / self.store.instances.file_name[row]
        return _shrink_photo(read_image(path, (height, width), self.store.spec.photos), shrink)

    def decode(self, row: int, shrink: int, out: Image) -> None:
        """Write a row's stored crop, shrunk, to `out` (h, w, 3)."""
        (data,) = self.store.read_crops([row])
        _decode(data, shrink, out)

    def copy(self, row: int, shrink: int, out: Image) -> None:
        """Write a row's stored crop, shrunk, to `out` (h, w, 3): the kept one, or decoded."""
        kept = self._kept(row, shrink)
        if kept is None:
            self.decode(row, shrink, out)
        else:
            np.copyto(out, kept)

    def _canvas(self, row: int, shrink: int, size: list[int], region: list[int]) -> "Canvas":
        """Return the region of a row's stored crop, valid until the thread's next: the kept one's, or decoded.

        size: height and width of the crop; region: left, top, right, bottom; all as shrunk.
        """
        left, top, right, bottom = region
        kept = self._kept(row, shrink)
        if kept is not None:
            # OpenCV cuts four channels in half the time
            pixels = self._scratch_pixels(bottom - top, right - left)
            cv2.cvtColor(kept[top:bottom, left:right], cv2.COLOR_RGB2BGRA, dst=pixels)
            return Canvas(pixels, left, top)
        (data,) = self.store.read_crops([row])
        part = part_of(data, *(edge * shrink for edge in region))
        if part is None:
            pixels = self._scratch_pixels(*size)
            _decode(data, shrink, pixels)
            return Canvas(pixels, 0, 0)
        pixels = self._scratch_pixels(-(-part.height // shrink), -(-part.width // shrink))
        _decode(part.data, shrink, pixels)
        return Canvas(pixels, part.left // shrink, part.top // shrink)

    def _scratch_pixels(self, height: int, width: int) -> Image:
        """Return memory for pixels (h, w, 4), of this thread: fresh memory would be faulted in page by page."""
        scratch = getattr(self._scratch, "pixels", None)
        if scratch is None or scratch.size < 4 * height * width:
            scratch = self._scratch.pixels = np.empty(4 * height * width, np.uint8)
        pixels: Image = scratch[: 4 * height * width].reshape(height, width, 4)
        return pixels

    def _kept(self, row: int, shrink: int) -> Image | None:
        if self.kept is None:
            return None
        found = self.kept.find(row, shrink)
        return self.kept.add(row, shrink, lambda out: self.decode(row, shrink, out)) if found is None else found


def seen_regions(view_to_canvas: Matrix, view_size: tuple[int, int], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part (B, 4) left, top, right, bottom of canvases that views see, in whole pixels.

    view_to_canvas (B, 2, 3); view_size: height, width; sizes (B, 2): height and width of the canvases. A view that sees
    nothing of its canvas gets one pixel of it, and one that `cut` halves gets all.
    """
    height, width = view_size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    xy = apply(view_to_canvas, corners)  # (B, 4, 2)
    limit = sizes[:, ::-1]
    # bilinear sampling also reads the next pixel; one more, because OpenCV computes places with 32 bits
    near = np.clip(np.floor(xy.min(1)).astype(np.int64) - 1, 0, limit - 1)
    far = np.clip(np.floor(xy.max(1)).astype(np.int64) + 3, near + 1, limit)
    halved = (pixel_size(view_to_canvas) >= 0.99 * HALVED_FROM)[:, None]
    return np.concatenate([np.where(halved, 0, near), np.where(halved, limit, far)], axis=1)


def _decode(data: bytes | bytearray, shrink: int, out: Image) -> None:
    """Write the pixels of a JPEG file, shrunk, to `out` (h, w, 3 RGB or 4 BGRA)."""
    height, width, channels = out.shape
    simplejpeg.decode_jpeg(
        data,
        colorspace="RGB" if channels == 3 else "BGRA",
        min_height=0 if shrink == 1 else height,
        min_width=0 if shrink == 1 else width,
        buffer=out,
    )


def pixel_size(matrix: Matrix) -> NDArray[np.float64]:
    """Return the side (...) of a source pixel in destination pixels of matrices (..., 2, 3), by area."""
    side: NDArray[np.float64] = np.sqrt(np.abs(np.linalg.det(matrix[..., :2])))
    return side


def _shrink_photo(photo: Image, shrink: int) -> tuple[Image, Matrix]:
    """Return the photo at 1 / shrink of its size, and the matrix (2, 3) from its pixels to the photo's."""
    height, width = photo.shape[:2]
    small_height, small_width = -(-height // shrink), -(-width // shrink)
    step = np.array([width / small_width, height / small_height])
    matrix = np.concatenate([np.diag(step), (step[:, None] - 1) / 2], axis=1)
    if shrink == 1:
        return photo, matrix
    small = cv2.resize(photo, (small_width, small_height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), matrix
