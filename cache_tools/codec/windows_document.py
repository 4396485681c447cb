"""The decoder of the codec `windows` as a root states it, checked: sizes, and integers whose sums are exact."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cache_tools.codec.decoder_document import WHERE
from cache_tools.codec.windows import (
    LARGEST_COEFFICIENT,
    LARGEST_EXACT,
    LARGEST_MAP,
    LARGEST_SIDE,
    SLOTS,
    UNIT,
    WindowsCodec,
)
from cache_tools.json_types import read_record

MOST_COEFFICIENTS = 254


@dataclass(frozen=True, kw_only=True)
class WindowsDocument:
    """The fields of `WindowsCodec.to_json`, as JSON has them."""

    name: Literal["windows"]
    heatmap_size: tuple[int, int]
    code_shape: tuple[int, int]
    dtype: Literal["uint8"]
    unit: float
    basis: list[list[list[int]]]


def read_windows_codec(data: Any) -> WindowsCodec:
    """Return the codec that `WindowsCodec.to_json` wrote.

    Raises ValueError with the name of a field that does not hold what it should.
    """
    try:
        document = read_record(WindowsDocument, data, "codec")
    except ValueError as problem:
        raise ValueError(f"{WHERE} is not valid: {problem}") from None
    if document.unit != UNIT:
        raise ValueError(f"{WHERE} has the unit {document.unit!r:.40}: expected {UNIT}")
    if not 1 <= min(document.heatmap_size) <= max(document.heatmap_size) <= LARGEST_MAP:
        raise ValueError(f"{WHERE} has heatmap_size {document.heatmap_size}: expected sides of 1 to {LARGEST_MAP}")
    count = len(document.basis)
    side = len(document.basis[0]) if count else 0
    lengths = {len(window) for window in document.basis} | {len(row) for one in document.basis for row in one}
    if not 1 <= count <= MOST_COEFFICIENTS or lengths != {side} or side % 2 == 0 or side > LARGEST_SIDE:
        raise ValueError(
            f"{WHERE} has a basis of {count} windows with sides {sorted(lengths)[:4]}: expected 1 to "
            f"{MOST_COEFFICIENTS} squares of one odd side up to {LARGEST_SIDE}"
        )
    if document.code_shape != (SLOTS, 2 + count):
        raise ValueError(
            f"{WHERE} has code_shape {document.code_shape}: expected {(SLOTS, 2 + count)}, as of its basis"
        )
    # in Python's integers, which have no largest one
    sums = [sum(map(abs, cell)) for rows in zip(*document.basis, strict=True) for cell in zip(*rows, strict=True)]
    if max(sums) * LARGEST_COEFFICIENT * SLOTS >= LARGEST_EXACT:
        raise ValueError(f"{WHERE} has a basis whose sums reach {max(sums)} units: more than float32 adds exactly")
    return WindowsCodec(heatmap_size=document.heatmap_size, basis=np.array(document.basis, np.int32))
