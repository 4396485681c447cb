"""Parts of JPEG files with restart markers are the pixels of the whole, to the bit; other files are decoded whole."""

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cache_tools.photos.jpeg_parts import BLOCK, encode_with_restarts, part_of, restart_interval

SIDES = st.integers(1, 200)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return smooth random colours (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (2 + height // 9, 2 + width // 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@given(height=SIDES, width=SIDES, corners=st.tuples(*[st.floats(0, 1)] * 4), shrink=st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=150, deadline=None)
def test_a_part_is_the_same_pixels_as_in_the_whole(
    height: int, width: int, corners: tuple[float, float, float, float], shrink: int
) -> None:
    data = encode_with_restarts(picture(height, width), 90)
    left, right = sorted(int(corner * (width - 1)) for corner in corners[:2])
    top, bottom = sorted(int(corner * (height - 1)) for corner in corners[2:])
    part = part_of(data, left, top, right + 1, bottom + 1)
    assert part is not None
    assert part.left <= left
    assert part.top <= top
    assert right < part.left + part.width <= width
    assert bottom < part.top + part.height <= height
    sizes = [(-(-height // shrink), -(-width // shrink)), (-(-part.height // shrink), -(-part.width // shrink))]
    whole, pixels = (
        simplejpeg.decode_jpeg(file, "RGB", min_height=h, min_width=w, strict=True)
        for file, (h, w) in zip((data, part.data), sizes, strict=True)
    )
    assert pixels.shape[:2] == sizes[1]
    top, left = part.top // shrink, part.left // shrink
    assert np.array_equal(pixels, whole[top : top + pixels.shape[0], left : left + pixels.shape[1]])


@given(width=st.integers(1, 3000))
def test_intervals_divide_a_row_of_blocks(width: int) -> None:
    blocks = -(-width // BLOCK)
    assert blocks % restart_interval(width) == 0


def test_a_part_takes_its_share_of_the_bytes() -> None:
    data = encode_with_restarts(picture(512, 512), 90)
    part = part_of(data, 128, 128, 256, 256)
    assert part is not None
    assert (part.left, part.top, part.width, part.height) == (128, 128, 128, 128)
    assert len(part.data) < len(data) / 10


@pytest.mark.parametrize("colours", [3, 4])
def test_the_file_is_an_ordinary_jpeg(colours: int) -> None:
    pixels = picture(90, 130)
    blue_first = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA), np.uint8)
    data = encode_with_restarts(pixels if colours == 3 else blue_first, 95)
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert by_opencv is not None
    for decoded in (simplejpeg.decode_jpeg(data, "RGB"), by_opencv):
        assert np.abs(decoded.astype(int) - pixels).mean() < 2


@pytest.mark.parametrize(
    ("subsampling", "colourspace"), [("444", "RGB"), ("420", "RGB"), ("Gray", "GRAY")], ids=["444", "420", "grey"]
)
def test_a_file_without_such_intervals_has_no_parts(subsampling: str, colourspace: str) -> None:
    pixels = picture(64, 64)[..., : 1 if colourspace == "GRAY" else 3]
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), 90, colourspace, subsampling)
    assert part_of(data, 0, 0, 8, 8) is None


@pytest.mark.parametrize("sampling", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422])
@pytest.mark.parametrize("progressive", [0, 1])
def test_other_samplings_and_scans_with_restart_markers_have_no_parts(sampling: int, progressive: int) -> None:
    flags = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    _, data = cv2.imencode(".jpg", picture(64, 64), [*flags, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])
    assert part_of(data.tobytes(), 0, 0, 8, 8) is None
    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, *flags[2:]]
    _, data = cv2.imencode(".jpg", picture(64, 64), [*full, cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert part_of(data.tobytes(), 0, 0, 8, 8) is None


@given(damage=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_refused_or_has_parts_of_the_stated_size(damage: st.DataObject) -> None:
    data = bytearray(encode_with_restarts(picture(80, 96), 90))
    kind = damage.draw(st.sampled_from(["bit", "cut", "swap", "drop"]))
    place = damage.draw(st.integers(2, len(data) - 3))
    markers = [i for i in range(len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    if kind == "bit":
        data[place] ^= 1 << damage.draw(st.integers(0, 7))
    elif kind == "cut":
        del data[place:]
    else:
        first, second = sorted(damage.draw(st.lists(st.sampled_from(markers), min_size=2, max_size=2)))
        if kind == "drop":
            del data[first:second]
        else:
            data[first + 1], data[second + 1] = data[second + 1], data[first + 1]
    part = part_of(bytes(data), 8, 8, 60, 60)
    if part is None:
        return
    # whatever it states, it is a whole file, or its decoder refuses it
    try:
        pixels = simplejpeg.decode_jpeg(part.data, "RGB", strict=True)
    except ValueError:
        return
    assert pixels.shape == (part.height, part.width, 3)


@pytest.mark.parametrize("what", ["order", "missing", "end"])
def test_markers_that_are_not_those_of_the_intervals_have_no_parts(what: str) -> None:
    data = bytearray(encode_with_restarts(picture(80, 96), 90))
    marker = data.index(b"\xff\xd3")
    if what == "order":
        data[marker + 1] = 0xD5
    elif what == "missing":
        del data[marker : marker + 2]
    else:
        del data[-2:]
    assert part_of(bytes(data), 0, 0, 96, 80) is None
    with pytest.raises(ValueError, match=r"."):
        simplejpeg.decode_jpeg(bytes(data), "RGB", strict=True)


def test_headers_that_end_at_once_have_no_parts() -> None:
    for marker in (b"\xc0", b"\xdd", b"\xda"):
        assert part_of(b"\xff\xd8\xff" + marker + b"\x00\x02", 0, 0, 8, 8) is None


def test_an_interval_that_was_cut_is_refused() -> None:
    data = encode_with_restarts(picture(80, 96), 90)
    first, second = data.index(b"\xff\xd0"), data.index(b"\xff\xd1")
    part = part_of(data[: first + 2] + data[first + (second - first) // 2 : second] + data[second:], 0, 0, 96, 80)
    assert part is not None
    with pytest.raises(ValueError, match=r"."):
        simplejpeg.decode_jpeg(part.data, "RGB", strict=True)
