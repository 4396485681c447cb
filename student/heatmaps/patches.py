"""Parts of decoded heatmaps: only the cells that a window can show are computed from the stored codes."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from student.heatmaps.device_codec import DeviceCodec, decode_codes, decode_values
from student.heatmaps.device_windows import decode_window_patches
from student.heatmaps.windows import paste_windows, place_windows, read_windows, window_margin


@dataclass(frozen=True, kw_only=True)
class PatchCodec:
    """A store's codec on one device, for square patches of its maps instead of whole maps.

    A patch begins at any cell from -side to the map's size; outside of the map it is 0.
    """

    codec: DeviceCodec
    #: (height, width) of the whole maps, in cells
    heatmap_size: tuple[int, int]
    #: of a patch, in cells
    side: int
    #: standard deviations of a peak in cells of the teacher's and the student's maps
    teacher_sigma: float
    student_sigma: float
    #: (height + side + 1, side, h') rows of synthesis_y from each first row on; None where the codec does not resample
    rows: Tensor | None
    #: (width + side + 1, w', side)
    columns: Tensor | None

    @classmethod
    def of(
        cls, codec: DeviceCodec, heatmap_size: tuple[int, int], *, teacher_sigma: float, student_sigma: float
    ) -> "PatchCodec":
        """Return the patches of `codec` that hold windows of these widths, at any rotation."""
        # half a window's diagonal, and half a cell by which its middle lies beside the patch's
        reach = window_margin(student_sigma) * math.sqrt(2) * teacher_sigma / student_sigma + 0.5
        side = 2 * math.ceil(reach) + 1
        rows = columns = None
        if codec.synthesis_y is not None and codec.synthesis_x_transposed is not None:
            rows = _parts(codec.synthesis_y, side)
            columns = _parts(codec.synthesis_x_transposed.mT, side).mT.contiguous()
        return cls(
            codec=codec,
            heatmap_size=heatmap_size,
            side=side,
            teacher_sigma=teacher_sigma,
            student_sigma=student_sigma,
            rows=rows,
            columns=columns,
        )


def replay_codes(
    codes: Tensor,
    codec: PatchCodec,
    peaks: Tensor,
    student_to_teacher: Tensor,
    flipped: Tensor,
    out_size: tuple[int, int],
    *,
    mirror: tuple[int, ...] | None,
) -> Tensor:
    """Return the maps (B, K, *out_size) that `replay_maps` makes of the decoded codes (B, K, h', w') by `peaks`.

    Equal but for rounding, about 1e-5. peaks (B, K, 2): `find_peaks` of the decoded maps; the other arguments are those
    of `replay_maps`.
    """
    windows = place_windows(
        peaks,
        student_to_teacher,
        flipped,
        out_size,
        mirror=mirror,
        teacher_sigma=codec.teacher_sigma,
        student_sigma=codec.student_sigma,
    )
    windowed = codec.codec.windows
    if windowed is None and (codec.rows is None or codec.columns is None):
        # the codes are the maps' cells, and decoding them is a product
        values = read_windows(decode_codes(codes, codec.codec).flatten(0, 1), windows)
        return paste_windows(values, windows, out_size)
    height, width = codec.heatmap_size
    first = (windows.teacher_middle.round() - codec.side // 2).long()
    x, y = first[..., 0].clamp(-codec.side, width), first[..., 1].clamp(-codec.side, height)
    corner = torch.stack([x, y], dim=-1)
    if windowed is not None:
        patches = decode_window_patches(codes.flatten(0, 1), windowed, corner.flatten(0, 1), codec.side)
    else:
        patches = _resampled_patches(codes, codec, x, y)
    values = read_windows(patches, windows, corner)
    return paste_windows(values, windows, out_size)


def _resampled_patches(codes: Tensor, codec: PatchCodec, x: Tensor, y: Tensor) -> Tensor:
    """Return the patches (B * K, side, side) that begin at cells (x, y), (B, K) each."""
    assert codec.rows is not None
    assert codec.columns is not None
    rows = codec.rows.index_select(0, (y + codec.side).flatten())  # (B * K, side, h')
    columns = codec.columns.index_select(0, (x + codec.side).flatten())  # (B * K, w', side)
    return rows @ decode_values(codes, codec.codec).flatten(0, 1) @ columns


def _parts(synthesis: Tensor, side: int) -> Tensor:
    """Return `side` rows of a matrix (n, m) from each row on, from -side to n, 0 outside: (n + side + 1, side, m)."""
    return functional.pad(synthesis, (0, 0, side, side)).unfold(0, side, 1).mT.contiguous()
