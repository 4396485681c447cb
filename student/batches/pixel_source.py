"""The pixels of a batch: JPEG bytes from the store, or photos from a folder, cut to the student's views.

Decoding (libjpeg-turbo) and cutting (OpenCV) both run without the GIL: threads are enough, and nothing is copied
between processes.
"""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from cache_tools.geometry import Matrix, compose, invert
from cache_tools.images import Image, cut, read_image
from cache_tools.store.writer import HeatmapStore

ColourSpace = Literal["RGB", "RGBA"]
# sides of pixel blocks that a JPEG decoder averages to one pixel at almost no cost
SHRINKS = (8, 4, 2)


class PixelSource:
    """The pixels of each row, from the store's crops or from the folder of photos.

    Raises ValueError where the store holds no crops and no folder is given, FileNotFoundError for a missing folder.
    """

    def __init__(self, store: HeatmapStore, folder: str | Path | None = None) -> None:
        self.store, self.folder = store, None if folder is None else Path(folder)
        #: whether pixels come from the store
        self.stored = folder is None
        if self.stored and store.spec.crops is None:
            raise ValueError(f"{store.url} holds no crops: give the folder of photos, or build it with --crops")
        if self.folder is not None and not self.folder.is_dir():
            raise FileNotFoundError(f"there is no folder of photos at {self.folder}: give the one that --images named")
        # OpenCV would start threads of its own in each of ours
        cv2.setNumThreads(1)

    def canvas_size(self, rows: int) -> tuple[int, int]:
        """Return the (height, width) in which each of the first `rows` stored crops fits."""
        height, width = self.store.read_crop_sizes(np.arange(rows)).max(axis=0)
        return int(height), int(width)

    def cut(self, rows: NDArray[np.int64], views: list[tuple[Matrix, NDArray[np.uint8]]]) -> None:
        """Fill each crop array (B, H, W, 3) through its matrices (B, 2, 3), crop pixel -> image pixel.

        Several views of one row share one decoding. Bilinear, black outside.
        """
        pixel_sizes = np.min([_pixel_size(matrix) for matrix, _ in views], axis=0)  # (B,)
        for index, row in enumerate(rows):
            canvas, canvas_to_image = self.canvas(int(row), float(pixel_sizes[index]), "RGBA")
            image_to_canvas = invert(canvas_to_image)
            for matrix, crops in views:
                height, width = crops.shape[1:3]
                cut(canvas, compose(matrix[index], image_to_canvas), (height, width), out=crops[index])

    def copy_canvases(self, rows: NDArray[np.int64], view_to_image: Matrix, canvases: NDArray[np.uint8]) -> Matrix:
        """Copy whole stored crops into canvases (B, H, W, 3), top left, black around; return view -> canvas (B, 2, 3).

        They are the pixels that `cut` samples: views cut from them on the device are the same.
        """
        view_to_canvas = np.empty((len(rows), 2, 3))
        pixel_sizes = _pixel_size(view_to_image)
        for index, row in enumerate(rows):
            pixels, canvas_to_image = self.canvas(int(row), float(pixel_sizes[index]))
            height, width = pixels.shape[:2]
            canvas = canvases[index]
            canvas[:height, :width] = pixels
            canvas[height:] = 0
            canvas[:height, width:] = 0
            view_to_canvas[index] = compose(view_to_image[index], invert(canvas_to_image))
        return view_to_canvas

    def canvas(self, row: int, pixel_size: float, colour_space: ColourSpace = "RGB") -> tuple[Image, Matrix]:
        """Return pixels (h, w, 3 or 4) that show a row, and the matrix (2, 3) from them to the image.

        pixel_size: image pixels per view pixel. Where the pixels are at least twice as dense as the view's they are
        averaged to half their size or less, because sampling them bilinearly would alias. colour_space: of stored
        crops; `cut` is faster from RGBA. Photos are always RGB.
        """
        if self.folder is not None:
            height, width = map(int, self.store.instances.image_size[row])
            photo = read_image(
                self.folder / self.store.instances.file_name[row], (height, width), self.store.spec.photos
            )
            return _shrink_photo(photo, _shrink_factor(pixel_size))
        data = self.store.read_crops([row])[0]
        canvas_to_image = self.store.read_crop_matrices([row])[0]
        shrink = _shrink_factor(pixel_size / float(_pixel_size(canvas_to_image)))
        if shrink == 1:
            return simplejpeg.decode_jpeg(data, colorspace=colour_space), canvas_to_image
        height, width = (-(-int(side) // shrink) for side in self.store.read_crop_sizes([row])[0])
        canvas = simplejpeg.decode_jpeg(data, colorspace=colour_space, min_height=height, min_width=width)
        # pixel x of the small canvas is the mean of pixels shrink * x to shrink * x + shrink - 1
        grow = np.array([[shrink, 0, (shrink - 1) / 2], [0, shrink, (shrink - 1) / 2]])
        return canvas, compose(grow, canvas_to_image)


def _pixel_size(matrix: Matrix) -> NDArray[np.float64]:
    """Return the side (...) of a source pixel in destination pixels of matrices (..., 2, 3), by area."""
    side: NDArray[np.float64] = np.sqrt(np.abs(np.linalg.det(matrix[..., :2])))
    return side


def _shrink_factor(density: float) -> int:
    """Return by how much to shrink pixels that are `density` times as dense as the view's."""
    return next((factor for factor in SHRINKS if factor <= density), 1)


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
