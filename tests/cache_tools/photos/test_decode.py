"""Every conversion to 8-bit RGB, as Pillow makes it; files that are not whole are refused."""

import contextlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from cache_tools.photos.decode import decode_photo, eight_bits
from tests.samples.photo_files import content, picture, pillow_pixels

PNG = content(picture(), "PNG")


def with_alpha(mode: str) -> PillowImage.Image:
    """Return the picture with a transparent part."""
    image = PillowImage.fromarray(picture()).convert(mode.removesuffix("A"))
    image.putalpha(PillowImage.fromarray(np.where(picture()[..., 0] > 128, 255, 0).astype(np.uint8)))
    return image


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "WEBP"])
def test_grey_palettes_and_cmyk_are_pillows(mode: str, format: str) -> None:
    if mode == "CMYK" and format in ("PNG", "BMP"):
        pytest.skip(f"there is no CMYK in {format}")
    options = {"lossless": True} if format == "WEBP" else {}
    data = content(PillowImage.fromarray(picture()).convert(mode), format, **options)
    np.testing.assert_array_equal(decode_photo(data), pillow_pixels(data))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_alpha_is_dropped(mode: str, format: str) -> None:
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    data = content(with_alpha(mode), format, **options)
    np.testing.assert_array_equal(decode_photo(data), pillow_pixels(data))


def test_the_transparent_colour_of_a_palette_is_dropped() -> None:
    data = content(PillowImage.fromarray(picture()).convert("P"), "PNG", transparency=3)
    np.testing.assert_array_equal(decode_photo(data), pillow_pixels(data))


def test_transparent_parts_of_a_tiff_are_black() -> None:
    image = with_alpha("RGBA")
    black = PillowImage.alpha_composite(PillowImage.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    np.testing.assert_array_equal(decode_photo(content(image, "TIFF")), np.asarray(black))


@pytest.mark.parametrize("depth", [10, 12, 16])
@pytest.mark.parametrize("format", [".png", ".tif"])
def test_sixteen_bits_are_scaled_by_the_stated_depth(format: str, depth: int) -> None:
    generator = np.random.default_rng(depth)
    for shape in ((30, 40), (30, 40, 3)):
        values = generator.integers(0, 2**depth, shape, dtype=np.uint16)
        values.flat[0] = 2**depth - 1
        done, data = cv2.imencode(format, values)
        assert done
        found = decode_photo(data.tobytes(), depth)
        # OpenCV writes blue first
        colours = np.repeat(values[..., None], 3, 2) if values.ndim == 2 else values[..., ::-1]
        np.testing.assert_array_equal(found, np.round(colours * (255 / (2**depth - 1))))
        assert found.max() == 255


def test_sixteen_bits_of_pillow_are_the_same_values() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (30, 40), dtype=np.uint16)
    image = PillowImage.fromarray(values)
    assert image.mode == "I;16"
    for format in ("PNG", "TIFF"):
        expected = np.round(np.asarray(image, np.float64) * 255 / 4095)
        np.testing.assert_array_equal(decode_photo(content(image, format), 12)[..., 0], expected)


def test_sixteen_bits_are_refused_without_their_depth() -> None:
    values = np.full((30, 40), 4000, np.uint16)
    data = content(PillowImage.fromarray(values), "PNG")
    with pytest.raises(ValueError, match=r"16 bits a value, the largest of which is 4000: .*--depth 12"):
        decode_photo(data)
    with pytest.raises(ValueError, match="expected less than 1024, as of --depth 10"):
        decode_photo(data, 10)
    with pytest.raises(ValueError, match="values of float32"):
        eight_bits(np.zeros((3, 4, 3), np.float32), 12)
    # photos of eight bits are the same with any depth
    np.testing.assert_array_equal(decode_photo(PNG, 12), picture())


@given(st.integers(8, len(PNG) - 20), st.integers(0, 7))
def test_a_changed_bit_of_a_png_changes_no_pixel(place: int, bit: int) -> None:
    data = bytearray(PNG)
    data[place] ^= 1 << bit
    with contextlib.suppress(ValueError):
        # some bits have no meaning
        np.testing.assert_array_equal(decode_photo(bytes(data)), picture())


OPTIONS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {}, "BMP": {}}


@pytest.mark.parametrize("format", OPTIONS)
def test_a_truncated_file_is_refused(format: str) -> None:
    data = content(picture(), format, **OPTIONS[format])
    for length in np.linspace(0, len(data) - 13, 20).astype(int):
        with pytest.raises(ValueError, match="is not an image that OpenCV reads"):
            decode_photo(data[:length])
