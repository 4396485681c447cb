"""JPEG files: sound ones as Pillow reads them, damaged ones refused."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from cache_tools.photos.jpeg import decode_jpeg, has_end
from tests.samples.photo_files import content, picture, pillow_pixels

# a photo of several restart intervals, with a thumbnail's end marker in its EXIF data
THUMBNAIL = b"Exif\0\0MM\0*\0\0\0\x08\0\0" + content(picture(10, 15), "JPEG")
PHOTO = content(picture(120, 160), "JPEG", quality=90)
WITH_THUMBNAIL = content(picture(120, 160), "JPEG", quality=90, exif=THUMBNAIL)
MOTION = b"MotionPhoto_Data\0\0\0\x18ftypmp42" + b"\x11" * 20_000


@pytest.mark.parametrize("options", [
    {}, {"quality": 30}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": "4:1:1"},
    {"keep_rgb": True}, {"restart_marker_rows": 1}, {"optimize": True}, {"exif": THUMBNAIL},
])  # fmt: skip
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "CMYK"])
def test_pixels_are_pillows(mode: str, options: dict[str, Any]) -> None:
    if "keep_rgb" in options and mode != "RGB":
        pytest.skip("Pillow keeps RGB of RGB only")
    data = content(PillowImage.fromarray(picture()).convert(mode), "JPEG", **options)
    # OpenCV reads subsampled CMYK, and rounds its product with black otherwise
    tolerance = 1 if mode == "CMYK" and options.get("subsampling") in (1, "4:1:1") else 0
    np.testing.assert_allclose(decode_jpeg(data), pillow_pixels(data), atol=tolerance)


@pytest.mark.parametrize("tail", [MOTION, b"\0" * 4096, b"\xff\xd9", PHOTO[:300]])
def test_bytes_after_the_end_marker_are_not_looked_at(tail: bytes) -> None:
    np.testing.assert_array_equal(decode_jpeg(PHOTO + tail), decode_jpeg(PHOTO))
    assert has_end(PHOTO + tail)


# cut inside the frame header
@example(856)
@given(st.integers(2, len(WITH_THUMBNAIL) - 1))
def test_a_truncated_file_is_refused_or_equal(length: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_jpeg(WITH_THUMBNAIL[:length])
    assert not has_end(WITH_THUMBNAIL[:length])


def is_refused_or_equal(data: bytes, original: bytes) -> bool:
    """Return whether a damaged file is refused, or read as the same pixels as the original."""
    try:
        pixels = decode_jpeg(data)
    except ValueError:
        return True
    return pixels.shape == decode_jpeg(original).shape and np.array_equal(pixels, decode_jpeg(original))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_blocks_of_a_disk_that_are_zero_or_lost_are_refused(options: dict[str, Any]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    photo = content(noise, "JPEG", quality=90, **options)
    block = 4096
    starts = range(block, len(photo) - block, block)
    assert len(starts) > 8
    for start in starts:
        before, after = photo[:start], photo[start + block :]
        assert is_refused_or_equal(before + bytes(block) + after, photo)
        assert is_refused_or_equal(before + b"\xff" * block + after, photo)
        assert is_refused_or_equal(before + after, photo)


def test_few_damages_of_any_length_in_the_scan_are_read_as_other_pixels() -> None:
    generator = np.random.default_rng(1)
    scan = PHOTO.index(b"\xff\xda") + 14
    harmless = []
    for _ in range(200):
        start, stop = np.sort(generator.integers(scan, len(PHOTO) - 2, 2))
        length = int(stop - start)
        harmless.append(is_refused_or_equal(PHOTO[:start] + bytes(length) + PHOTO[stop:], PHOTO))
        harmless.append(is_refused_or_equal(PHOTO[:start] + PHOTO[stop:], PHOTO))
    # what docs/how-to/photos.md says; a decoder has no way to know the rest
    assert np.mean(harmless) > 0.95


def unusual_sampling() -> bytes:
    """Return a grey JPEG of 16x32 pixels in one block of 4:1:0, which libjpeg-turbo's old interface has no name for."""
    data = bytearray(content(np.full((16, 32, 3), 128, np.uint8), "JPEG", subsampling=0))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    data[frame + 11] = 0x42
    # eight blocks of luminance: no difference (00), end of block (1010); two of chrominance: 00, 00
    bits = "001010" * 8 + "0000" * 2
    scan += 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    return bytes(data[:scan]) + int(bits, 2).to_bytes(7, "big") + b"\xff\xd9"


def test_an_unusual_sampling_is_read_to_its_end_marker() -> None:
    data = unusual_sampling()
    assert PillowImage.open(io.BytesIO(data)).size == (32, 16)
    np.testing.assert_array_equal(decode_jpeg(data + MOTION), np.full((16, 32, 3), 128))
    with pytest.raises(ValueError, match="end of JPEG"):
        decode_jpeg(data[:-1])


def test_what_is_no_jpeg_of_eight_bits_is_refused_or_equal() -> None:
    data = bytearray(PHOTO)
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ValueError, match="its values have 12 bits: expected 8"):
        decode_jpeg(bytes(data))
    with pytest.raises(ValueError, match=r".+"):
        decode_jpeg(b"\xff\xd8\xff\xff\xff\xff")
