"""The decoder of a store as its root states it, checked: names, sizes and three arrays that fit each other."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cache_tools.json_types import read_record

WHERE = "the decoder of the store"
LARGEST_SIDE = 4096
MOST_LEVELS = 256


@dataclass(frozen=True, kw_only=True)
class DecoderDocument:
    """The fields of `Codec.to_json`, as JSON has them."""

    name: str
    heatmap_size: tuple[int, int]
    code_shape: tuple[int, int]
    dtype: Literal["uint8", "float16"]
    levels: list[float] | None
    synthesis_y: list[list[float]] | None
    synthesis_x: list[list[float]] | None

    def arrays(self) -> dict[str, NDArray[np.float32] | None]:
        """Return the three arrays; ValueError where one does not fit the sizes."""
        (height, width), (rows, columns) = self.heatmap_size, self.code_shape
        return {
            "levels": _array("levels", self.levels, None),
            "synthesis_y": _array("synthesis_y", self.synthesis_y, (height, rows)),
            "synthesis_x": _array("synthesis_x", self.synthesis_x, (width, columns)),
        }


def read_decoder(data: Any) -> DecoderDocument:
    """Return a checked decoder; ValueError with the name of a field that does not hold what it should."""
    try:
        decoder = read_record(DecoderDocument, data, "codec")
    except ValueError as problem:
        raise ValueError(f"{WHERE} is not valid: {problem}") from None
    one_size = decoder.synthesis_y is None and decoder.synthesis_x is None
    if one_size and decoder.heatmap_size != decoder.code_shape:
        raise ValueError(
            f"{WHERE} has code_shape {decoder.code_shape} and no synthesis: expected {decoder.heatmap_size}, its "
            "heatmap_size"
        )
    sides = (*decoder.heatmap_size, *decoder.code_shape)
    if not 1 <= min(sides) <= max(sides) <= LARGEST_SIDE:
        raise ValueError(
            f"{WHERE} has heatmap_size {decoder.heatmap_size} and code_shape {decoder.code_shape}: expected sides of 1 "
            f"to {LARGEST_SIDE}"
        )
    if (decoder.levels is None) != (decoder.dtype == "float16"):
        raise ValueError(
            f"{WHERE} has dtype {decoder.dtype} {'without' if decoder.levels is None else 'and'} levels: expected "
            "uint8 with a table of levels, or float16 without one"
        )
    if decoder.levels is not None and not 1 <= len(decoder.levels) <= MOST_LEVELS:
        raise ValueError(f"{WHERE} has {len(decoder.levels)} levels: expected 1 to {MOST_LEVELS}")
    if (decoder.synthesis_y is None) != (decoder.synthesis_x is None):
        raise ValueError(f"{WHERE} has one of synthesis_y and synthesis_x: expected both or none")
    return decoder


def _array(name: str, stated: Any, shape: tuple[int, int] | None) -> NDArray[np.float32] | None:
    """Return numbers as an array of that shape, or of one dimension."""
    if stated is None:
        return None
    lengths = {len(row) for row in stated} if shape else set()
    found = (len(stated), *sorted(lengths))
    if not stated or (shape and found != shape):
        raise ValueError(f"{WHERE} has {name} of {found}: expected {shape or 'at least one number'}")
    with np.errstate(over="ignore"):
        array = np.array(stated, np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{WHERE} has a number in {name} that is more than 32 bits hold")
    return array
