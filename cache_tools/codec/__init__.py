"""Heatmaps as small arrays of numbers, and what that costs in accuracy."""

from cache_tools.codec.encode_maps import encode_maps
from cache_tools.codec.error import error_of_row, peak_xy, rows_to_measure, summarize_errors
from cache_tools.codec.profiles import PROFILES, Codec, Codes, Maps, get_codec

__all__ = [
    "PROFILES",
    "Codec",
    "Codes",
    "Maps",
    "encode_maps",
    "error_of_row",
    "get_codec",
    "peak_xy",
    "rows_to_measure",
    "summarize_errors",
]
