"""Figures as files and as pixels: the same figure gives the same bytes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cache_tools.files import write_bytes
from cache_tools.images import Image

FIGURE_SUFFIXES = (".png", ".svg")
# what would otherwise differ from one run to the next
FIXED: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}


def figure_bytes(figure: Figure, kind: str, dpi: float = 150) -> bytes:
    """Return the figure as a file of a kind, svg or png."""
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "kdcache"}):
        figure.savefig(file, format=kind, dpi=dpi, metadata=FIXED[kind])
    return file.getvalue()


def write_figure(path: Path, figure: Figure, dpi: float = 150) -> None:
    """Write a figure as the kind of file that its name says.

    Raises ValueError for a name that does not end in .png or .svg.
    """
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise ValueError(f"cannot write {path}: expected a name that ends in {', '.join(FIGURE_SUFFIXES)}")
    write_bytes(path, figure_bytes(figure, path.suffix.lower()[1:], dpi))


def figure_pixels(figure: Figure) -> Image:
    """Return the figure as an RGB image (height, width, 3), one pixel a dot."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves this method untyped
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
    return pixels[..., :3].copy()
