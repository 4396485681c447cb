"""A shard's heatmaps, as they come from the teacher, into codes: checked, clamped, counted and measured on the way."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.error import error_of_row
from cache_tools.codec.profiles import Codec, Codes, Maps

BLOCK = 8  # rows encoded at once: their float32 maps, 1.7 MB, stay in the CPU's cache from one step to the next

Batches = Maps | Iterable[Maps]


def encode_rows(
    codec: Codec,
    batches: Batches,
    shape: tuple[int, ...],
    rows: range,
    annotation_id: NDArray[np.int64],
    measured: Collection[int] = (),
) -> tuple[Codes, dict[str, int], dict[int, dict[str, Any]]]:
    """Codes, counts of clamped values and error_of_row of the measured rows.

    batches: maps (n, *shape, h, w) of `rows`, whole or in pieces in row order. annotation_id: of `rows`, for messages.
    Raises ValueError for another shape, another number of rows, and for values that are not finite.
    """
    codes = np.zeros((len(rows), *shape, *codec.code_shape), codec.dtype)
    clamped, errors, done = {"below": 0, "above": 0}, {}, 0
    for piece in [batches] if isinstance(batches, np.ndarray) else batches:
        if piece.shape[1:] != (*shape, *codec.heatmap_size):
            raise ValueError(f"heatmaps of shape {piece.shape[1:]} a row: expected {(*shape, *codec.heatmap_size)}")
        if done + len(piece) > len(rows):
            raise ValueError(f"more than {len(rows)} rows of heatmaps: expected rows {rows.start}-{rows.stop - 1}")
        for start in range(0, len(piece), BLOCK):
            maps = np.asarray(piece[start : start + BLOCK], np.float32)
            least, most = maps.min(initial=0), maps.max(initial=1)  # a NaN anywhere is both
            if not np.isfinite([least, most]).all():
                raise _not_finite(np.asarray(piece[start:], np.float32), annotation_id[done:])
            if least < 0:
                clamped["below"] += int(np.count_nonzero(maps < 0))
            if most > 1:
                clamped["above"] += int(np.count_nonzero(maps > 1))
            codes[done : done + len(maps)] = codec.encode(maps)
            for i, row in enumerate(range(rows.start + done, rows.start + done + len(maps))):
                if row in measured:
                    errors[row] = error_of_row(maps[i], codec.decode(codes[done + i]))
            done += len(maps)
    if done != len(rows):
        raise ValueError(f"{done} rows of heatmaps: expected {len(rows)}, rows {rows.start}-{rows.stop - 1}")
    return codes, clamped, errors


def _not_finite(maps: Maps, annotation_id: NDArray[np.int64]) -> ValueError:
    bad = annotation_id[: len(maps)][~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim)))]
    named = ", ".join(map(str, bad[:10])) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
    return ValueError(
        f"the teacher's heatmaps hold NaN or infinity for annotation {named}: "
        "nothing was stored of this shard; check the teacher's weights and precision"
    )
