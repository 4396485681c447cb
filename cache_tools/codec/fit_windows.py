"""Learn the basis of the codec `windows` from a teacher's heatmaps, and measure what it does to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.error import error_of_row, summarize_errors
from cache_tools.codec.profiles import LEAST_VALUE, Maps
from cache_tools.codec.windows import (
    COEFFICIENTS,
    FIT_ERROR,
    LARGEST_COEFFICIENT,
    LARGEST_EXACT,
    LARGEST_MAP,
    LEAST_PEAK,
    SLOTS,
    UNIT,
    WindowsCodec,
    side_of_windows,
)

#: maps and rows that a basis is learnt from
FIT_MAPS, MOST_FIT_ROWS, LEAST_FIT_ROWS = 256 * 17, 256, 32
#: least step from one coefficient to the next
STEP = 0.025
#: of the largest coefficient that the fit saw; a larger one takes a second window
HEADROOM = 1.06
#: times the basis is learnt, each time from what the one before leaves of a map
PASSES = 2
#: largest share of maps that do not fit, for a teacher whose maps the codec is made for
MOST_UNFIT = 0.02


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a basis does to maps of a teacher."""

    codec: WindowsCodec
    maps: int
    #: maps that do not fit
    unfit: int
    #: summarize_errors of the rows
    error: dict[str, float]

    def text(self) -> str:
        """Return the findings in one line."""
        return (
            f"windows: a basis of {len(self.codec.basis)} windows of {self.codec.side}x{self.codec.side} cells, on "
            f"{self.error['rows']} rows: RMSE {self.error['rmse_at_peaks']:.4f} at peaks, largest error "
            f"{self.error['max_error']:.2f}; {self.unfit:,} of {self.maps:,} maps do not fit (off by more than "
            f"{FIT_ERROR:g})"
        )

    def check(self) -> None:
        """Raise ValueError where too many maps do not fit."""
        if self.unfit > MOST_UNFIT * self.maps:
            raise ValueError(
                f"{self.text()}: more than {MOST_UNFIT:.0%} are broad, flat, or have more than {SLOTS} peaks. Nothing "
                "was stored: build with --codec compact"
            )


def rows_to_fit(rows: int, joints: int) -> NDArray[np.int64]:
    """Return the rows of a store that its basis is learnt from: the same on every machine, at even distances.

    They lie between those that the error is measured on, where there are enough rows.
    """
    count = min(max(FIT_MAPS // joints, LEAST_FIT_ROWS), MOST_FIT_ROWS, rows)
    return np.unique((np.arange(count) * 2 + 1) * rows // (2 * count))


def fit_windows(maps: Maps, sigma: float) -> Fit:
    """Return the codec whose basis is learnt from maps (B, K, h, w) with peaks of standard deviation `sigma`.

    Principal components, without centring, of the windows around the maxima; coefficient j is stored in steps of STEP,
    or of more where its largest value would not fit in a byte.
    Raises ValueError for maps of more than 256 cells on a side.
    """
    height, width = maps.shape[-2:]
    if max(height, width) > LARGEST_MAP:
        raise ValueError(
            f"the codec windows takes heatmaps of up to {LARGEST_MAP} cells, the teacher's have {height}x{width}: "
            "build with --codec compact"
        )
    exact = np.clip(np.asarray(maps, np.float32), LEAST_VALUE, 1)
    side = side_of_windows(sigma)
    # peaks of the stated width, so that there are enough windows of different kinds whatever the maps are
    drawn = _drawn_peaks(side, sigma)
    basis = np.zeros((side * side, 0))
    for _ in range(PASSES):
        windows = np.concatenate([_highest_windows(exact.reshape(-1, height, width), side, basis), drawn])
        vectors = np.linalg.eigh(windows.T @ windows)[1]
        basis = vectors[:, ::-1][:, :COEFFICIENTS]
    largest = np.abs(windows @ basis).max(axis=0)
    scaled = (basis * np.maximum(STEP, HEADROOM * largest / LARGEST_COEFFICIENT)).T / UNIT
    # the sign of a component is arbitrary
    scaled *= np.where(scaled.sum(axis=1) < 0, -1, 1)[:, None]
    integers = np.rint(scaled).astype(np.int32).reshape(-1, side, side)
    if np.abs(integers).sum(axis=0).max() * LARGEST_COEFFICIENT * SLOTS >= LARGEST_EXACT:
        raise ValueError("the heatmaps are too broad for the codec windows: build with --codec compact")
    codec = WindowsCodec(heatmap_size=(height, width), basis=integers)
    return measure_fit(codec, exact)


def measure_fit(codec: WindowsCodec, maps: Maps) -> Fit:
    """Return what the codec does to maps (B, K, h, w); ValueError where they have another size."""
    if maps.shape[-2:] != codec.heatmap_size:
        raise ValueError(
            f"the basis is of heatmaps of {codec.heatmap_size} cells, the teacher's have {maps.shape[-2:]}"
        )
    exact = np.clip(np.asarray(maps, np.float32), 0, 1)
    codes = codec.encode(exact)
    return Fit(
        codec=codec,
        maps=exact.shape[0] * exact.shape[1],
        unfit=codec.count_unfit(exact, codes),
        error=summarize_errors([error_of_row(one, codec.decode(code)) for one, code in zip(exact, codes, strict=True)]),
    )


def _highest_windows(maps: Maps, side: int, basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the windows (n, side * side) that an encoder with this orthonormal basis comes upon in maps (m, h, w)."""
    margin = side // 2
    found: list[NDArray[np.float64]] = []
    for one in maps:
        rest = np.pad(one, margin)
        for _ in range(SLOTS):
            inner = rest[margin : rest.shape[0] - margin, margin : rest.shape[1] - margin]
            y, x = np.unravel_index(int(inner.argmax()), inner.shape)
            if inner[y, x] < LEAST_PEAK:
                break
            window = rest[y : y + side, x : x + side]
            values = window.astype(np.float64).reshape(-1)
            found.append(values)
            # without a basis yet, a window takes all that it covers
            shown = basis @ (values @ basis) if basis.size else values
            window -= shown.reshape(side, side).astype(np.float32)
    return np.array(found).reshape(-1, side * side)


def _drawn_peaks(side: int, sigma: float) -> NDArray[np.float64]:
    """Return Gaussian peaks (n, side * side) at places within a cell, of three widths."""
    cells = np.arange(side) - side // 2
    within = np.linspace(-0.5, 0.5, 5)
    lines = [np.exp(-((cells - at) ** 2) / (2 * (ratio * sigma) ** 2)) for ratio in (0.8, 1, 1.25) for at in within]
    peaks = [np.outer(down, across).reshape(-1) for down in lines for across in lines]
    return np.array(peaks)
