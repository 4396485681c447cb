"""Codecs of heatmaps: four profiles that encode them as small arrays of numbers, with more bytes or more error.

A teacher's heatmap is band-limited: every second value of it, interpolated by a quintic spline, loses almost nothing.
Decoding is a table look-up and, where the resolution was halved, two small matrix products. A store holds its decoder
as three arrays of numbers.

    compact    half resolution, 256 linear levels: the default
    compact80  half resolution, 80 linear levels: smallest
    exact8     full resolution, 256 linear levels
    float16    full resolution, half precision: for research, about eighty times `compact`

Stores of `compact6`, 64 levels evenly spaced in the square root, are read and finished: `compact80` takes fewer bytes
with less error.
"""

import difflib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cache_tools.codec.decoder_document import WHERE, read_decoder

Maps = NDArray[np.float32]  # (..., height, width)
Codes = NDArray[Any]  # (..., code height, code width) uint8 or float16


@dataclass(frozen=True)
class Profile:
    """The rule by which a profile encodes values."""

    half: bool  #: only every second row and column is kept
    levels: int | None  #: None: float16
    root: bool  #: levels evenly spaced in the square root of the value
    dead_zone: float  #: smaller values are stored as 0, which makes a map compressible


_PROFILES = {
    "compact": Profile(half=True, levels=256, root=False, dead_zone=0.02),
    "compact80": Profile(half=True, levels=80, root=False, dead_zone=0.02),
    "exact8": Profile(half=False, levels=256, root=False, dead_zone=0.01),
    "float16": Profile(half=False, levels=None, root=False, dead_zone=0.0),
    "compact6": Profile(half=True, levels=64, root=True, dead_zone=0.02),
}
#: profiles of version 0.1 that another one is better than in every number
SUPERSEDED = ("compact6",)
PROFILES = tuple(name for name in _PROFILES if name not in SUPERSEDED)
# Smaller values are raised to it: products of values near float32's least ones (the tails of Gaussians and of softmax)
# take an Intel CPU a hundred times as long, and no code depends on them.
LEAST_VALUE = 1e-30
# Smaller entries of the synthesis are not used. Two of this size and a level of .01 make 1e-36, above the least normal
# number of float32, 1.2e-38; beside a value of .01, whose last bit is 1e-9, entries of 1e-17 are nothing.
LEAST_ENTRY = 1e-17
MATRIX_TOLERANCE = 1e-3
# The fields of Codec that are arrays.
ARRAYS = ("levels", "synthesis_y", "synthesis_x")


@dataclass(frozen=True, eq=False, kw_only=True)
class Codec:
    """One profile at one heatmap size.

    Decoding needs only the three arrays, here and on a device, and therefore also reads profiles of later versions.
    """

    name: str
    heatmap_size: tuple[int, int]  #: height, width in cells
    code_shape: tuple[int, int]  #: height, width of a map's codes
    dtype: str  #: of the codes: "uint8" or "float16"
    levels: NDArray[np.float32] | None  #: (L,) value of each code, L at most 256; None: the code is the value
    synthesis_y: NDArray[np.float32] | None  #: (height, code height); None: full resolution
    synthesis_x: NDArray[np.float32] | None  #: (width, code width)

    def encode(self, maps: ArrayLike) -> Codes:
        """Return codes (..., h', w') of maps (..., h, w), clamped to [0, 1]; each map is encoded independently."""
        profile = _PROFILES[self.name]
        values = np.clip(np.asarray(maps, np.float32), LEAST_VALUE, 1)
        if profile.half:
            analysis_y, analysis_x = _spline(self.heatmap_size[0])[1], _spline(self.heatmap_size[1])[1]
            values = np.matmul(np.matmul(analysis_y, values), analysis_x.T)
            # values below 0 are below the dead zone
            np.minimum(values, 1, out=values)
        if profile.levels is None:
            return values.astype(np.float16)
        # faster than indexing by a mask
        values *= values >= profile.dead_zone
        if profile.root:
            np.sqrt(values, out=values)
        values *= profile.levels - 1
        return np.rint(values, out=values).astype(np.uint8)

    def decode(self, codes: Codes) -> Maps:
        """Return maps (..., h, w) float32 of codes (..., h', w').

        The spline can go below 0 and above 1 by about .01, as teachers do.
        """
        values = self._values(codes)
        if self.synthesis is None:
            return values
        synthesis_y, synthesis_x = self.synthesis
        maps: Maps = np.matmul(np.matmul(synthesis_y, values), synthesis_x.T)
        return maps

    @cached_property
    def synthesis(self) -> tuple[Maps, Maps] | None:
        """`synthesis_y` and `synthesis_x` to multiply by; None at full resolution.

        Their smallest entries, far from a node, are 0 here: no map depends on them, and their products with each other
        are too small for a float's normal numbers, which takes an Intel CPU three times as long as all the rest.
        """
        if self.synthesis_y is None or self.synthesis_x is None:
            return None
        near = [np.where(np.abs(matrix) < LEAST_ENTRY, 0, matrix) for matrix in (self.synthesis_y, self.synthesis_x)]
        return near[0].astype(np.float32), near[1].astype(np.float32)

    @cached_property
    def spacing(self) -> tuple[float, int] | None:
        """(step, power) where value = (code * step) ** power gives each level to the bit; None: a table is needed.

        The arithmetic is five times as fast as looking up in the table. Found from the table, whatever its name.
        """
        if self.levels is None:
            return 1.0, 1
        codes = np.arange(len(self.levels), dtype=np.uint8)
        step = 1 / max(len(self.levels) - 1, 1)
        fitting = (power for power in (1, 2) if np.array_equal(self.levels, _spaced(codes, step, power)))
        return next(((step, power) for power in fitting), None)

    def find_wrong(self, codes: Codes) -> NDArray[np.bool_]:
        """Return where codes are none that an encoder writes: NaN, infinity, levels that the codec does not have."""
        return ~np.isfinite(codes) if self.levels is None else codes >= len(self.levels)

    def are_codes(self, codes: Codes) -> bool:
        """Return whether an encoder could have written all of these codes."""
        if self.levels is None:
            # above all finite numbers, without their sign, are infinity and NaN
            return int((codes.view(np.uint16) & 0x7FFF).max(initial=0)) < 0x7C00
        return len(self.levels) > np.iinfo(codes.dtype).max or int(codes.max(initial=0)) < len(self.levels)

    def _values(self, codes: Codes) -> Maps:
        if self.levels is None:
            return codes.astype(np.float32)
        if self.spacing is None:
            return self.levels[codes]
        return _spaced(codes, *self.spacing)

    def to_json(self) -> dict[str, Any]:
        """Return everything that a reader without this package needs, as lists and numbers."""
        document: dict[str, Any] = {
            "name": self.name,
            "heatmap_size": list(self.heatmap_size),
            "code_shape": list(self.code_shape),
            "dtype": self.dtype,
        }
        for name in ARRAYS:
            array = getattr(self, name)
            document[name] = None if array is None else array.tolist()
        return document

    @classmethod
    def from_json(cls, data: Any) -> "Codec":
        """Return the codec that `to_json` wrote, with arrays equal to the bit.

        Raises ValueError with the name of a field that does not hold what it should, and where a profile's name comes
        with other arrays than the profile's.
        """
        decoder = read_decoder(data)
        codec = cls(
            name=decoder.name,
            heatmap_size=decoder.heatmap_size,
            code_shape=decoder.code_shape,
            dtype=decoder.dtype,
            **decoder.arrays(),
        )
        if codec.name in _PROFILES:
            _check_profile(codec)
        return codec


def get_codec(name: str, heatmap_size: tuple[int, int] = (64, 48)) -> Codec:
    """Return the codec of a profile; ValueError with similar names where there is no such profile."""
    if name not in _PROFILES:
        near = difflib.get_close_matches(name, PROFILES, cutoff=0.4) or PROFILES
        raise ValueError(f"unknown codec {name!r}: did you mean {' or '.join(near)}?")
    profile = _PROFILES[name]
    height, width = heatmap_size
    if min(height, width) < 8:
        raise ValueError(f"heatmaps of {height}x{width} cells are too small to cache: expected at least 8x8")
    levels = None
    if profile.levels is not None:
        codes = np.arange(profile.levels, dtype=np.uint8)
        levels = _spaced(codes, 1 / (profile.levels - 1), 2 if profile.root else 1)
    synthesis_y = _spline(height)[0] if profile.half else None
    synthesis_x = _spline(width)[0] if profile.half else None
    return Codec(
        name=name,
        heatmap_size=(height, width),
        code_shape=(
            height if synthesis_y is None else synthesis_y.shape[1],
            width if synthesis_x is None else synthesis_x.shape[1],
        ),
        dtype="float16" if levels is None else "uint8",
        levels=levels,
        synthesis_y=synthesis_y,
        synthesis_x=synthesis_x,
    )


def _check_profile(codec: Codec) -> None:
    """Raise ValueError where a codec has the name of a profile and other arrays."""
    profile = get_codec(codec.name, codec.heatmap_size)
    if (codec.dtype, codec.code_shape) != (profile.dtype, profile.code_shape):
        raise ValueError(
            f"{WHERE} has the name {codec.name!r}, dtype {codec.dtype} and code_shape {codec.code_shape}: expected "
            f"{profile.dtype} and {profile.code_shape}"
        )
    for name in ARRAYS:
        ours, theirs = getattr(codec, name), getattr(profile, name)
        if ours is None and theirs is None:
            continue
        # libraries of linear algebra differ in the last bits of the matrices
        within = 0.0 if name == "levels" else MATRIX_TOLERANCE
        if ours is None or theirs is None or ours.shape != theirs.shape or np.abs(ours - theirs).max() > within:
            raise ValueError(f"{WHERE} has {name} that is not that of {codec.name!r}: expected the profile's values")


def _spaced(codes: Codes, step: float, power: int) -> Maps:
    """Return (code * step) ** power."""
    values = np.multiply(codes, np.float32(step), dtype=np.float32)
    return np.multiply(values, values, out=values) if power == 2 else values


@lru_cache
def _spline(n: int) -> tuple[Maps, Maps]:
    """Return synthesis (n, m) and analysis (m, n) matrices: least squares by a quintic spline.

    The spline has a node at every second of n cells. The codes are its values at the nodes, not its coefficients:
    values stay within [0, 1], and a blank map stays 0.
    """
    step = 2
    # the last node can lie one cell outside
    nodes = np.arange(0, n - 1 + step * 0.51, step)
    # values at cells and at nodes from coefficients
    at_cells = _quintic((np.arange(n)[:, None] - nodes) / step)  # (n, m)
    at_nodes = _quintic((nodes[:, None] - nodes) / step)  # (m, m)
    # the ridge keeps the outermost coefficients small
    normal = at_cells.T @ at_cells + 1e-5 * np.eye(len(nodes))
    analysis = at_nodes @ np.linalg.solve(normal, at_cells.T)
    synthesis = at_cells @ np.linalg.inv(at_nodes)
    return synthesis.astype(np.float32), analysis.astype(np.float32)


def _quintic(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the quintic cardinal B-spline around 0, as a sum of truncated powers (Schoenberg 1946)."""
    terms = [(-1) ** k * comb(6, k) * np.maximum(t + 3 - k, 0) ** 5 for k in range(7)]
    return np.where(np.abs(t) < 3, np.sum(terms, axis=0) / 120, 0.0)
