"""Heatmaps as small arrays of numbers, and what that costs in accuracy."""

from cache_tools.codec.encode_maps import encode_maps
from cache_tools.codec.error import error_of_row, peak_xy, rows_to_measure, summarize_errors
from cache_tools.codec.fit_windows import fit_windows
from cache_tools.codec.profiles import PROFILES, Codec, Codes, Maps, get_codec
from cache_tools.codec.stored_codec import StoredCodec, read_codec
from cache_tools.codec.windows import WindowsCodec

__all__ = [
    "PROFILES",
    "Codec",
    "Codes",
    "Maps",
    "StoredCodec",
    "WindowsCodec",
    "encode_maps",
    "error_of_row",
    "fit_windows",
    "get_codec",
    "peak_xy",
    "read_codec",
    "rows_to_measure",
    "summarize_errors",
]
