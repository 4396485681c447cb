"""Encode heatmaps as they come from a teacher: check them, clamp them to [0, 1] and count what was clamped."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from cache_tools.codec.profiles import Codes, Maps
from cache_tools.codec.stored_codec import StoredCodec

# Bytes of float32 maps encoded at once: they stay in the CPU's cache from one step to the next. By bytes and not by
# rows, because a row of 133 joints is eight times one of 17.
BLOCK_BYTES = 7 * 2**18


def encode_maps(codec: StoredCodec, maps: Maps, annotation_id: NDArray[np.int64]) -> tuple[Codes, dict[str, int]]:
    """Return the codes (B, ..., h', w') of maps (B, ..., h, w), and how many values were `below` 0 and `above` 1.

    annotation_id: (B,) of the rows, for the message.
    Raises ValueError naming the annotations whose maps hold NaN or an infinity.
    """
    codes = np.empty((*maps.shape[:-2], *codec.code_shape), codec.dtype)
    clamped = {"below": 0, "above": 0}
    block_rows = max(1, BLOCK_BYTES // (4 * prod(maps.shape[1:])))
    for start in range(0, len(maps), block_rows):
        block = np.asarray(maps[start : start + block_rows], np.float32)
        # a NaN anywhere is both the least and the greatest
        least, greatest = block.min(initial=0), block.max(initial=1)
        if not np.isfinite([least, greatest]).all():
            raise _not_finite(np.asarray(maps, np.float32), annotation_id)
        if least < 0:
            clamped["below"] += int(np.count_nonzero(block < 0))
        if greatest > 1:
            clamped["above"] += int(np.count_nonzero(block > 1))
        codes[start : start + len(block)] = codec.encode(block)
    return codes, clamped


def _not_finite(maps: Maps, annotation_id: NDArray[np.int64]) -> ValueError:
    bad = annotation_id[~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim)))]
    named = ", ".join(map(str, bad[:10])) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
    return ValueError(
        f"the teacher's heatmaps hold NaN or infinity for annotation {named}: "
        "nothing was stored of this shard; check the teacher's weights and precision"
    )
