"""The codec `windows`: its stated error on sums of peaks, what does not fit counted, sums that are exact."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cache_tools.codec import WindowsCodec, fit_windows, read_codec
from cache_tools.codec.encode_maps import encode_maps
from cache_tools.codec.fit_windows import rows_to_fit
from cache_tools.codec.profiles import get_codec
from cache_tools.codec.windows import FIT_ERROR, side_of_windows
from tests.samples.fitted_windows import fitted_codec
from tests.samples.gaussian_maps import gaussian_maps

SMALL = (24, 20)


def drawn(codes: np.ndarray, codec: WindowsCodec) -> np.ndarray:
    """Return a map (h, w) of codes (4, 2 + n), cell by cell in float64."""
    (height, width), side = codec.heatmap_size, codec.side
    found = np.zeros((height, width))
    for y, x, *coefficients in codes.astype(int).tolist():
        signed = [c - 256 if c > 127 else c for c in coefficients]
        window = np.tensordot(signed, codec.basis * 2.0**-17, 1)
        for row, column in np.ndindex(side, side):
            at = y + row - side // 2, x + column - side // 2
            if 0 <= at[0] < height and 0 <= at[1] < width:
                found[at] += window[row, column]
    return found


@given(st.integers(0, 2**32), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_up_to_four_separate_peaks_keep_the_stated_error(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    middles = rng.permutation([(10, 12), (38, 12), (10, 52), (38, 52)])[:count] + rng.uniform(-5, 5, (count, 2))
    heights = rng.uniform(0.1, 1, count)
    exact = np.zeros((64, 48), np.float32)
    for middle, height in zip(middles, heights, strict=True):
        exact += height * gaussian_maps(middle[None, None], sigma=rng.uniform(1.8, 2.2))[0, 0]
    codec = fitted_codec()
    codes = codec.encode(exact)
    assert np.abs(codec.decode(codes) - exact).max() < 0.06
    assert codec.count_unfit(exact, codes) == 0
    assert codes[..., 2:].any(axis=-1).sum() >= count


@given(hnp.arrays(np.float32, (3, *SMALL), elements=st.floats(-2, 3, width=32)), st.integers(0, 2**32), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_finite_map_is_within_the_stated_error_or_counted(maps: np.ndarray, seed: int, is_noise: bool) -> None:
    if is_noise:
        maps = np.random.default_rng(seed).random(maps.shape, np.float32)
    codec = fitted_codec(SMALL)
    codes, _ = encode_maps(codec, maps, np.arange(3))
    assert codec.are_codes(codes)
    assert not codec.find_wrong(codes).any()
    expected = np.stack([drawn(one, codec) for one in codes])
    # equal to the last bit: every sum is exact
    assert np.array_equal(codec.decode(codes), expected)
    assert (
        codec.count_unfit(maps, codes)
        == (np.abs(expected - np.clip(maps, 0, 1).astype(np.float32)).max(axis=(1, 2)) > FIT_ERROR).sum()
    )


def test_rows_do_not_depend_on_the_rows_beside_them() -> None:
    maps = np.random.default_rng(1).random((150, 2, *SMALL), np.float32) ** 8
    codec = fitted_codec(SMALL)
    codes = codec.encode(maps)
    decoded = codec.decode(codes)
    assert codes.shape == (150, 2, *codec.code_shape)
    for row in (0, 7, 149):
        assert np.array_equal(codec.encode(maps[row]), codes[row])
        assert np.array_equal(codec.decode(codes[row]), decoded[row])
    assert codec.decode(codes[:0]).shape == (0, 2, *SMALL)


def test_a_window_beside_the_map_is_no_code() -> None:
    codec = fitted_codec(SMALL)
    codes = np.zeros((2, 3, *codec.code_shape), np.uint8)
    codes[1, 2, 3, 0] = SMALL[0]
    assert not codec.are_codes(codes)
    assert np.argwhere(codec.find_wrong(codes)).tolist() == [[1, 2, 3, 0]]


def test_the_decoder_is_read_to_the_bit() -> None:
    codec = fitted_codec(SMALL)
    again = read_codec(json.loads(json.dumps(codec.to_json())))
    assert isinstance(again, WindowsCodec)
    assert (again.heatmap_size, again.digest) == (codec.heatmap_size, codec.digest)
    assert np.array_equal(again.basis, codec.basis)
    assert fitted_codec(SMALL, 6).digest != codec.digest
    assert read_codec(get_codec("compact").to_json()).name == "compact"


BASIS = np.ones((30, 7, 7), int).tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"basis": [[[float("nan")]]], "code_shape": [4, 3]}, "codec.basis"),
        ({"basis": [[[0.5]]], "code_shape": [4, 3]}, "codec.basis"),
        ({"basis": []}, "a basis of 0 windows"),
        ({"basis": [[]] * 30}, "squares of one odd side"),
        ({"basis": np.ones((30, 8, 8), int).tolist()}, "squares of one odd side"),
        ({"basis": np.ones((30, 33, 33), int).tolist()}, "squares of one odd side"),
        ({"basis": [*BASIS[:-1], [[1] * 7] * 6]}, "squares of one odd side"),
        ({"basis": np.full((30, 7, 7), 2000).tolist()}, "more than float32 adds exactly"),
        ({"basis": [[[2**62]]], "code_shape": [4, 3]}, "more than float32 adds exactly"),
        ({"basis": BASIS[:-1]}, r"code_shape .*as of its basis"),
        ({"code_shape": [5, 32]}, "as of its basis"),
        ({"unit": 1.0}, "the unit 1.0"),
        ({"heatmap_size": [300, 48]}, "sides of 1 to 256"),
        ({"heatmap_size": [0, 48]}, "sides of 1 to 256"),
        ({"dtype": "float16"}, "codec.dtype"),
    ],
)
def test_a_forged_decoder_is_refused(changed: dict[str, Any], message: str) -> None:
    document = fitted_codec(SMALL).to_json() | {"basis": BASIS}
    assert read_codec(document).name == "windows"
    with pytest.raises(ValueError, match=f"the decoder of the store.*{message}"):
        read_codec(document | changed)


def test_maps_that_are_no_peaks_are_said_and_refused() -> None:
    flat = np.full((6, 17, 64, 48), 0.5, np.float32)
    fit = fit_windows(flat, 2.0)
    assert fit.unfit == fit.maps == 102
    with pytest.raises(ValueError, match=r"102 of 102 maps do not fit.*--codec compact"):
        fit.check()
    fit_windows(np.zeros_like(flat), 2.0).check()
    with pytest.raises(ValueError, match="up to 256 cells"):
        fit_windows(np.zeros((1, 1, 257, 8), np.float32), 2.0)


def test_a_basis_is_learnt_from_rows_at_even_distances() -> None:
    assert rows_to_fit(1000, 17).tolist() == np.unique((np.arange(256) * 2 + 1) * 1000 // 512).tolist()
    assert len(rows_to_fit(1000, 133)) == 32
    assert rows_to_fit(3, 17).tolist() == [0, 1, 2]
    assert [side_of_windows(sigma) for sigma in (0.5, 2, 3, 9)] == [7, 15, 21, 31]
