"""The codec against scipy's splines, its stated error bounds, and itself through JSON."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs import zstd
from scipy.interpolate import BSpline

from cache_tools.codec import encode_maps, error_of_row, summarize_errors
from cache_tools.codec.profiles import PROFILES, SUPERSEDED, Codec, _quintic, get_codec
from tests.samples.small_store import peaks, persons

# largest error on peaks of sigma 2
BOUND = {"compact": 0.09, "compact80": 0.1, "exact8": 0.0101, "float16": 0.0005, "compact6": 0.1}
# those of new stores and of old ones
ALL = (*PROFILES, *SUPERSEDED)
sizes = st.tuples(st.integers(8, 70), st.integers(8, 70))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(64, 48), (32, 24), (33, 17)])
def test_decoded_peaks_are_within_the_profiles_bound(name: str, size: tuple[int, int]) -> None:
    maps = peaks(persons(8), size)
    codec = get_codec(name, size)
    codes = codec.encode(maps)
    assert codes.shape == (8, 17, *codec.code_shape)
    assert codes.dtype == codec.dtype
    assert np.abs(codec.decode(codes) - maps).max() < BOUND[name]


@given(st.sampled_from(ALL), hnp.arrays(np.float32, (2, 3, 16, 12), elements=st.floats(-2, 3, width=32)))
@settings(max_examples=60)
def test_any_values_are_clamped_and_full_resolution_stays_within_half_a_level(name: str, maps: np.ndarray) -> None:
    codec = get_codec(name, (16, 12))
    codes = codec.encode(maps)
    if codec.levels is not None:
        assert codes.max(initial=0) < len(codec.levels)
    if codec.synthesis_y is None:
        allowed = 0.01 if name == "exact8" else 2.0**-11
        assert np.abs(codec.decode(codes) - np.clip(maps, 0, 1)).max() <= allowed + 1e-6


@given(st.sampled_from(ALL), st.integers(0, 2**32 - 1), st.integers(1, 7))
@settings(max_examples=30)
def test_rows_do_not_depend_on_the_rows_beside_them(name: str, seed: int, rows: int) -> None:
    maps = np.random.default_rng(seed).random((rows, 17, 32, 24), dtype=np.float32)
    codec = get_codec(name, (32, 24))
    codes = codec.encode(maps)
    decoded = codec.decode(codes)
    for row in range(rows):
        assert np.array_equal(codec.encode(maps[row]), codes[row])
        assert np.array_equal(codec.decode(codes[row]), decoded[row])


@given(st.sampled_from(ALL), sizes)
@settings(max_examples=30)
def test_decoding_is_two_matrix_products_of_a_look_up_and_survives_json(name: str, size: tuple[int, int]) -> None:
    codec = get_codec(name, size)
    codes = codec.encode(np.random.default_rng(0).random((2, *size), dtype=np.float32))
    decoded = codec.decode(codes)
    again = Codec.from_json(codec.to_json())
    assert np.array_equal(again.decode(codes), decoded)
    values = codes.astype(np.float64) if codec.levels is None else codec.levels.astype(np.float64)[codes]
    if codec.synthesis_y is not None and codec.synthesis_x is not None:
        values = codec.synthesis_y.astype(np.float64) @ values @ codec.synthesis_x.T.astype(np.float64)
    assert np.abs(values - decoded).max() < 1e-6


def test_a_profile_of_a_later_version_decodes_by_its_arrays() -> None:
    codec = get_codec("compact80")
    later = Codec.from_json(codec.to_json() | {"name": "compact9"})
    codes = codec.encode(peaks(persons(2)))
    assert np.array_equal(later.decode(codes), codec.decode(codes))


@pytest.mark.parametrize("name", [name for name in ALL if name != "float16"])
def test_the_arithmetic_of_a_profile_is_its_table_to_the_bit(name: str) -> None:
    codec = get_codec(name)
    assert codec.levels is not None
    assert codec.spacing is not None
    codes = np.arange(len(codec.levels), dtype=np.uint8).reshape(1, -1)
    plain = replace(codec, synthesis_x=None, synthesis_y=None)
    assert np.array_equal(plain.decode(codes)[0], codec.levels)


def test_80_levels_are_smaller_than_the_64_that_they_replace_with_less_error() -> None:
    maps, sizes, errors = peaks(persons(16)), {}, {}
    for name in ("compact80", "compact6"):
        codec = get_codec(name)
        codes = codec.encode(maps)
        sizes[name] = len(zstd.compress(codes.tobytes(), 9))
        errors[name] = summarize_errors([error_of_row(*row) for row in zip(maps, codec.decode(codes), strict=True)])
    assert sizes["compact80"] < sizes["compact6"]
    assert errors["compact80"]["rmse_at_peaks"] < errors["compact6"]["rmse_at_peaks"]


@pytest.mark.parametrize("name", ALL)
def test_tails_too_small_for_a_float_change_no_code(name: str) -> None:
    maps = peaks(persons(4))
    tails = np.where(maps < 1e-6, np.float32(1e-40), maps)
    assert (tails == np.float32(1e-40)).any()
    codes = encode_maps(get_codec(name), tails, np.arange(4))[0]
    assert np.array_equal(codes, encode_maps(get_codec(name), np.where(maps < 1e-6, 0, maps), np.arange(4))[0])


def test_entries_of_the_synthesis_that_are_left_out_change_no_bit_of_a_peak() -> None:
    codec = get_codec("compact")
    assert codec.synthesis is not None
    assert codec.synthesis_y is not None
    assert codec.synthesis_x is not None
    codes = codec.encode(peaks(persons(8)))
    values = codes * np.float32(1 / 255)
    whole = codec.synthesis_y @ values @ codec.synthesis_x.T
    decoded = codec.decode(codes)
    high = whole > 0.05
    assert np.array_equal(decoded[high], whole[high])
    assert np.abs(decoded - whole).max() < 1e-12
    tiny = np.finfo(np.float32).tiny / np.abs(codec.synthesis[1])[codec.synthesis[1] != 0].min()
    between = np.abs(codec.synthesis[0] @ values)
    assert ((between > 0) & (between < tiny)).mean() < 0.01
    whole_between = np.abs(codec.synthesis_y @ values)
    assert ((whole_between > 0) & (whole_between < 1e-15)).mean() > 0.05


def test_levels_that_are_not_evenly_spaced_are_looked_up() -> None:
    document = get_codec("exact8").to_json() | {"name": "inverted", "levels": np.linspace(1, 0, 256).tolist()}
    codec = Codec.from_json(document)
    assert codec.spacing is None
    assert codec.decode(np.array([[0, 255]], np.uint8)).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("profile", "changed", "problem"),
    [
        ("compact", {"levels": np.linspace(1, 0, 256).tolist()}, "levels that is not that of 'compact'"),
        ("compact", {"levels": [0.0, 1.0]}, "levels that is not that of 'compact'"),
        ("compact", {"synthesis_y": np.eye(64, 33).tolist()}, "synthesis_y that is not that of 'compact'"),
        ("compact", {"synthesis_y": None}, "one of synthesis_y and synthesis_x"),
        ("compact", {"synthesis_x": [[float("nan")] * 25] * 48}, "synthesis_x"),
        ("compact", {"synthesis_x": [[0.0] * 25] * 47 + [[0.0]]}, "synthesis_x"),
        ("compact", {"levels": [[0.0]]}, "levels"),
        ("compact", {"levels": None}, "uint8 without levels"),
        ("float16", {"levels": [0.0, 1.0]}, "float16 and levels"),
        ("compact", {"dtype": "object"}, "dtype"),
        ("compact", {"code_shape": [33, 10**9]}, "code_shape"),
        ("exact8", {"name": "compact"}, "code_shape"),
    ],
)
def test_arrays_that_do_not_fit_the_name_or_each_other_are_refused(
    profile: str, changed: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Codec.from_json(get_codec(profile).to_json() | changed)


def test_codes_that_no_encoder_writes_are_found() -> None:
    coarse, half = get_codec("compact6"), get_codec("float16")
    assert coarse.are_codes(np.array([0, 63], np.uint8))
    assert not coarse.are_codes(np.array([0, 64], np.uint8))
    assert half.are_codes(np.array([-0.0, 0.5, 65504], np.float16))
    for wrong in (np.inf, -np.inf, np.nan):
        assert not half.are_codes(np.array([0, wrong], np.float16))
        assert half.find_wrong(np.array([0, wrong], np.float16)).tolist() == [False, True]


def test_the_spline_is_scipys() -> None:
    t = np.linspace(-4, 4, 401)
    expected = np.nan_to_num(BSpline.basis_element(np.arange(7) - 3.0, extrapolate=False)(t))
    assert np.abs(_quintic(t) - expected).max() < 1e-12


def test_a_blank_map_is_all_zero_codes_and_decodes_to_zero() -> None:
    for name in ALL:
        codec = get_codec(name)
        codes = codec.encode(np.zeros((64, 48)))
        assert not codes.any()
        assert not codec.decode(codes).any()


def test_unknown_and_too_small_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="did you mean compact"):
        get_codec("compct")
    with pytest.raises(ValueError, match="at least 8x8"):
        get_codec("compact", (64, 4))
