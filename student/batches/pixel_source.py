"""Pixels of a batch, by threads: JPEG bytes from the store or photos from a folder, cut to what the student will see.

Decoding (libjpeg-turbo) and cutting (OpenCV) both run without the GIL, so threads are enough and nothing is copied
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

Colours = Literal["RGB", "RGBA"]
SHRINKS = (8, 4, 2)  # for a JPEG decoder at next to no cost: each block of so many pixels averaged to one


def _steps(matrix: Matrix) -> NDArray[np.float64]:
    """How long a step of one pixel (...) is where matrices (..., 2, 3) lead to."""
    return np.sqrt(np.abs(np.linalg.det(matrix[..., :2])))


def _shrink(density: float) -> int:
    """By how much pixels are made smaller that are so many times as dense as a view."""
    return next((s for s in SHRINKS if s <= density), 1)


def _averaged(photo: Image, shrink: int) -> tuple[Image, Matrix]:
    """The photo at a part of its size, and the matrix (2, 3) from its pixels to the photo's."""
    height, width = photo.shape[:2]
    small_height, small_width = -(-height // shrink), -(-width // shrink)
    step = np.array([width / small_width, height / small_height])
    matrix = np.concatenate([np.diag(step), (step[:, None] - 1) / 2], axis=1)
    if shrink == 1:
        return photo, matrix
    small = cv2.resize(photo, (small_width, small_height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), matrix


class PixelSource:
    """Where the pixels of each row come from: the store's own crops, or the folder of photos."""

    def __init__(self, store: HeatmapStore, folder: str | Path | None = None) -> None:
        self.store, self.folder = store, None if folder is None else Path(folder)
        self.stored = folder is None
        if self.stored and store.spec.crops is None:
            raise ValueError(f"{store.url} holds no crops: give the folder of photos, or build it with --crops")
        if self.folder is not None and not self.folder.is_dir():
            raise FileNotFoundError(f"there is no folder of photos at {self.folder}")
        # OpenCV would start threads of its own in each of ours
        cv2.setNumThreads(1)

    def canvas_size(self, rows: int) -> tuple[int, int]:
        """(height, width) in which each of the first `rows` stored crops fits."""
        height, width = self.store.crop_size[:rows].max(axis=0)
        return int(height), int(width)

    def cut(self, rows: NDArray[np.int64], views: list[tuple[Matrix, NDArray[np.uint8]]]) -> None:
        """Fill each crop array (B, H, W, 3) through its matrices (B, 2, 3), crop pixel -> image pixel.

        Several views of one row share one decoding. Bilinear, black outside.
        """
        steps = np.min([_steps(matrix) for matrix, _ in views], axis=0)  # (B,)
        for place, row in enumerate(rows):
            canvas, canvas_to_image = self.canvas(int(row), float(steps[place]), "RGBA")
            image_to_canvas = invert(canvas_to_image)
            for matrix, crops in views:
                height, width = crops.shape[1:3]
                cut(canvas, compose(matrix[place], image_to_canvas), (height, width), out=crops[place])

    def copy(self, rows: NDArray[np.int64], view_to_image: Matrix, canvases: NDArray[np.uint8]) -> Matrix:
        """Whole stored crops into canvases (B, H, W, 3), top left, black around; view -> canvas (B, 2, 3).

        They are the pixels that `cut` looks at: cut on the device, views are the same.
        """
        view_to_canvas = np.empty((len(rows), 2, 3))
        steps = _steps(view_to_image)
        for place, row in enumerate(rows):
            pixels, canvas_to_image = self.canvas(int(row), float(steps[place]))
            height, width = pixels.shape[:2]
            canvas = canvases[place]
            canvas[:height, :width] = pixels
            canvas[height:] = 0
            canvas[:height, width:] = 0
            view_to_canvas[place] = compose(view_to_image[place], invert(canvas_to_image))
        return view_to_canvas

    def canvas(self, row: int, step: float, colours: Colours = "RGB") -> tuple[Image, Matrix]:
        """Pixels that show a row, and the matrix from them to the image. step: image pixels per view pixel.

        Where they are at least twice as dense as the view they are averaged to half their size or less, so that a
        bilinear look at them does not alias. colours: of stored crops, RGBA to `cut` from.
        """
        if self.folder is not None:
            height, width = map(int, self.store.instances.image_size[row])
            photo = read_image(self.folder / self.store.instances.file_name[row], (height, width))
            return _averaged(photo, _shrink(step))
        data = self.store.read_crops([row])[0]
        canvas_to_image = self.store.crop_pixel_to_image[row]
        shrink = _shrink(step / float(_steps(canvas_to_image)))
        if shrink == 1:
            return simplejpeg.decode_jpeg(data, colorspace=colours), canvas_to_image
        height, width = (-(-int(side) // shrink) for side in self.store.crop_size[row])
        canvas = simplejpeg.decode_jpeg(data, colorspace=colours, min_height=height, min_width=width)
        # pixel x of the small canvas is the mean of pixels shrink * x to shrink * x + shrink - 1
        grow = np.array([[shrink, 0, (shrink - 1) / 2], [0, shrink, (shrink - 1) / 2]])
        return canvas, compose(grow, canvas_to_image)
