"""The codec of a store, of whichever kind: read from the root, or found by its name."""

from typing import Any

from cache_tools.codec.profiles import Codec, get_codec
from cache_tools.codec.windows import COEFFICIENTS, SLOTS, WindowsCodec
from cache_tools.codec.windows_document import read_windows_codec

StoredCodec = Codec | WindowsCodec


def read_codec(data: Any) -> StoredCodec:
    """Return the codec that a root states; ValueError with the name of a field that does not hold what it should."""
    if isinstance(data, dict) and data.get("name") == WindowsCodec.name:
        return read_windows_codec(data)
    return Codec.from_json(data)


def codec_of(name: str, heatmap_size: tuple[int, int]) -> StoredCodec:
    """Return the codec of a name; ValueError where there is no such one, and for one that has a basis."""
    if name == WindowsCodec.name:
        raise ValueError(
            f"the codec {name} is not known by its name: give the one that cache_tools.codec.fit_windows makes of maps"
        )
    return get_codec(name, heatmap_size)


def layout_of(name: str, heatmap_size: tuple[int, int]) -> tuple[tuple[int, int], str]:
    """Return the shape of a map's codes and their type; ValueError for an unknown codec."""
    if name == WindowsCodec.name:
        return (SLOTS, 2 + COEFFICIENTS), WindowsCodec.dtype
    codec = get_codec(name, heatmap_size)
    return codec.code_shape, codec.dtype
