"""Heatmaps <-> small arrays of numbers: four profiles, each a trade of bytes against error.

A teacher's heatmap is band-limited: every second value of it, joined by a quintic spline, loses next to nothing.
Decoding is a table look-up and, where the resolution was halved, two small matrix products, so a store carries its
decoder as three arrays of numbers.

    compact    half resolution, uint8, linear levels: the default
    compact6   half resolution, 64 levels evenly spaced in the square root: smallest
    exact8     full resolution, uint8
    float16    full resolution, half precision: for research, about eighty times `compact`
"""

import difflib
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Maps = NDArray[np.float32]  # (..., height, width)
Codes = NDArray[Any]  # (..., code height, code width) uint8 or float16


@dataclass(frozen=True)
class Profile:
    """How one profile turns values into codes."""

    half: bool  # every second row and column alone is kept
    levels: int | None  # None: float16
    root: bool  # levels evenly spaced in the square root of the value
    dead_zone: float  # smaller values are stored as 0, which is what makes a map compressible


_PROFILES = {
    "compact": Profile(half=True, levels=256, root=False, dead_zone=0.02),
    "compact6": Profile(half=True, levels=64, root=True, dead_zone=0.02),
    "exact8": Profile(half=False, levels=256, root=False, dead_zone=0.01),
    "float16": Profile(half=False, levels=None, root=False, dead_zone=0.0),
}
PROFILES = tuple(_PROFILES)


@dataclass(frozen=True, eq=False)
class Codec:
    """One profile at one heatmap size; `decode` needs its three arrays alone, and so reads profiles yet unknown."""

    name: str
    heatmap_size: tuple[int, int]  # height, width
    code_shape: tuple[int, int]
    dtype: str  # of the codes: "uint8" or "float16"
    levels: NDArray[np.float32] | None  # (256 or 64,) value of each code; None: the code is the value
    synthesis_y: NDArray[np.float32] | None  # (height, code height); None: full resolution
    synthesis_x: NDArray[np.float32] | None  # (width, code width)

    def encode(self, maps: ArrayLike) -> Codes:
        """Codes (..., h', w') of maps (..., h, w), clamped to [0, 1]; a map's codes don't depend on those beside it."""
        profile = _PROFILES[self.name]
        values = np.clip(np.asarray(maps, np.float32), 0, 1)
        if profile.half:
            analysis_y, analysis_x = _spline(self.heatmap_size[0])[1], _spline(self.heatmap_size[1])[1]
            values = np.matmul(np.matmul(analysis_y, values), analysis_x.T)
            np.minimum(values, 1, out=values)  # what is below 0 is below the dead zone
        if profile.levels is None:
            return values.astype(np.float16)
        values *= values >= profile.dead_zone  # quicker than indexing by a mask
        if profile.root:
            np.sqrt(values, out=values)
        values *= profile.levels - 1
        return np.rint(values, out=values).astype(np.uint8)

    def decode(self, codes: Codes) -> Maps:
        """Maps (..., h, w) float32 of codes (..., h', w'); the spline may pass 0 and 1 by a little, as teachers do."""
        values = self._values(codes)
        if self.synthesis_y is None or self.synthesis_x is None:
            return values
        return np.matmul(np.matmul(self.synthesis_y, values), self.synthesis_x.T)

    def _values(self, codes: Codes) -> Maps:
        profile = _PROFILES.get(self.name)
        if profile is None and self.levels is not None:  # a profile of a later version: its table says it all
            return self.levels[codes]
        if profile is None or profile.levels is None:
            return codes.astype(np.float32)
        return _level_values(codes, profile)  # the table's own arithmetic: five times as fast as looking up

    def to_json(self) -> dict[str, Any]:
        """All that a reader without this package needs, as lists and numbers."""
        arrays = {k: getattr(self, k) for k in ("levels", "synthesis_y", "synthesis_x")}
        return {
            "name": self.name,
            "heatmap_size": list(self.heatmap_size),
            "code_shape": list(self.code_shape),
            "dtype": self.dtype,
        } | {k: None if a is None else a.tolist() for k, a in arrays.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Codec":
        """The codec that `to_json` wrote, its arrays equal to the bit."""
        arrays = {
            k: None if data[k] is None else np.array(data[k], np.float32)
            for k in ("levels", "synthesis_y", "synthesis_x")
        }
        return cls(data["name"], _pair(data["heatmap_size"]), _pair(data["code_shape"]), data["dtype"], **arrays)


def get_codec(name: str, heatmap_size: tuple[int, int] = (64, 48)) -> Codec:
    """The codec of a profile; ValueError with near names where there is no such profile."""
    if name not in _PROFILES:
        near = difflib.get_close_matches(name, PROFILES, cutoff=0.4) or PROFILES
        raise ValueError(f"unknown codec {name!r}: did you mean {' or '.join(near)}?")
    profile = _PROFILES[name]
    height, width = heatmap_size
    if min(height, width) < 8:
        raise ValueError(f"heatmaps of {height}x{width} cells are too small to cache: expected at least 8x8")
    levels = None if profile.levels is None else _level_values(np.arange(profile.levels, dtype=np.uint8), profile)
    if not profile.half:
        dtype = "float16" if levels is None else "uint8"
        return Codec(name, (height, width), (height, width), dtype, levels, None, None)
    (synthesis_y, _), (synthesis_x, _) = _spline(height), _spline(width)
    code_shape = (synthesis_y.shape[1], synthesis_x.shape[1])
    return Codec(name, (height, width), code_shape, "uint8", levels, synthesis_y, synthesis_x)


def _level_values(codes: Codes, profile: Profile) -> Maps:
    assert profile.levels is not None
    values = np.multiply(codes, np.float32(1 / (profile.levels - 1)), dtype=np.float32)
    return np.multiply(values, values, out=values) if profile.root else values


@lru_cache
def _spline(n: int) -> tuple[Maps, Maps]:
    """Synthesis (n, m) and analysis (m, n): least squares by a quintic spline with nodes at every second of n cells.

    The codes are the spline's values at its nodes, not its coefficients: values stay within [0, 1] and a blank stays 0.
    """
    step = 2
    nodes = np.arange(0, n - 1 + step * 0.51, step)  # the last may lie one cell outside
    at_cells = _quintic((np.arange(n)[:, None] - nodes) / step)  # (n, m) cell values from coefficients
    at_nodes = _quintic((nodes[:, None] - nodes) / step)  # (m, m) node values from coefficients
    normal = at_cells.T @ at_cells + 1e-5 * np.eye(len(nodes))  # the ridge keeps the outermost coefficients small
    analysis = at_nodes @ np.linalg.solve(normal, at_cells.T)
    synthesis = at_cells @ np.linalg.inv(at_nodes)
    return synthesis.astype(np.float32), analysis.astype(np.float32)


def _quintic(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quintic cardinal B-spline around 0, as a sum of truncated powers (Schoenberg 1946)."""
    terms = [(-1) ** k * comb(6, k) * np.maximum(t + 3 - k, 0) ** 5 for k in range(7)]
    return np.where(np.abs(t) < 3, np.sum(terms, axis=0) / 120, 0.0)


def _pair(values: list[int]) -> tuple[int, int]:
    return int(values[0]), int(values[1])
