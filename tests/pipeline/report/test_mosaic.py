"""Photos with poses as one picture."""

import numpy as np

from pipeline.report.mosaic import mosaic


def test_a_mosaic_shows_every_picture() -> None:
    shades = {480: 10, 640: 20, 270: 30, 900: 40}
    pictures = [np.full((360, width, 3), shade, np.uint8) for width, shade in shades.items()]
    shown = mosaic(pictures)
    for picture, shade in zip(pictures, shades.values(), strict=True):
        assert (shown == shade).all(-1).sum() == picture[..., 0].size
