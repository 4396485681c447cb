"""Contents of image files: a smooth picture in any format and mode that Pillow writes."""

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from cache_tools.images import Image

HEIGHT, WIDTH = 40, 60
ORIENTATION = 0x0112


def picture(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Image:
    """Return a smooth picture without symmetry, in every colour."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def content(
    image: PillowImage.Image | NDArray[Any], format: str, orientation: int | None = None, **options: Any
) -> bytes:
    """Return the bytes of an image file that Pillow writes. orientation: of its EXIF data."""
    if isinstance(image, np.ndarray):
        image = PillowImage.fromarray(image)
    if orientation is not None:
        exif = PillowImage.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pillow_pixels(data: bytes) -> Image:
    """Return what Pillow makes of the content of an image file."""
    return np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"))
