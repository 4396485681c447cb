"""Matrices between image, crop and heatmap: their algebra, both frames, and mirrors.

tests/pipeline/teachers/test_vitpose.py compares the udp frame with that of transformers' ViTPose processor.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cache_tools.geometry import FRAMES, apply, cell_to_crop, compose, crop_to_image, invert, mirror_matrix, padded_box
from tests.samples.coco_joints import MIRROR

SIZES = st.sampled_from([((256, 192), (64, 48)), ((128, 96), (32, 24)), ((384, 288), (96, 72)), ((64, 64), (16, 16))])
BOXES = st.tuples(*(st.floats(low, high) for low, high in ((-50, 600), (-50, 400), (2, 600), (2, 500)))).map(np.array)
POINTS = arrays(np.float64, (5, 2), elements=st.floats(-1e3, 1e3))


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Draw zoom, rotation, mirror and shift, as views have them."""
    turn, zoom = draw(st.floats(-np.pi, np.pi)), draw(st.floats(0.05, 20))
    side = draw(st.sampled_from([-1, 1]))
    shift = draw(arrays(np.float64, (2, 1), elements=st.floats(-1e3, 1e3)))
    linear = zoom * np.array([[np.cos(turn) * side, -np.sin(turn)], [np.sin(turn) * side, np.cos(turn)]])
    return np.concatenate([linear, shift], axis=1)


@given(matrix=matrices(), xy=POINTS)
def test_the_inverse_takes_points_back(matrix: np.ndarray, xy: np.ndarray) -> None:
    np.testing.assert_allclose(apply(invert(matrix), apply(matrix, xy)), xy, atol=1e-6)
    np.testing.assert_allclose(compose(matrix, invert(matrix)), [[1, 0, 0], [0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(invert(invert(matrix)), matrix, atol=1e-6, rtol=1e-9)


@given(first=matrices(), second=matrices(), third=matrices(), xy=POINTS)
def test_a_composition_is_one_after_the_other(
    first: np.ndarray, second: np.ndarray, third: np.ndarray, xy: np.ndarray
) -> None:
    one_by_one = apply(third, apply(second, apply(first, xy)))
    np.testing.assert_allclose(apply(compose(first, second, third), xy), one_by_one, atol=1e-4, rtol=1e-9)
    grouped = compose(first, compose(second, third))
    np.testing.assert_allclose(compose(compose(first, second), third), grouped, atol=1e-4, rtol=1e-9)


def test_a_batch_of_matrices_is_computed_matrix_by_matrix() -> None:
    generator = np.random.default_rng(0)
    many, one, xy = generator.normal(size=(4, 3, 2, 3)), generator.normal(size=(2, 3)), generator.normal(size=(7, 2))
    together, inverse, moved = compose(one, many), invert(many), apply(many, xy)
    for index in np.ndindex(4, 3):
        np.testing.assert_allclose(together[index], compose(one, many[index]))
        np.testing.assert_allclose(inverse[index], invert(many[index]))
        np.testing.assert_allclose(moved[index], apply(many[index], xy))


@given(box=BOXES, sizes=SIZES, frame=st.sampled_from(FRAMES))
def test_a_crop_shows_the_padded_box_whatever_the_frame(box: np.ndarray, sizes: tuple, frame: str) -> None:
    """udp: from the first pixel's centre to the last's; stride: one step more than there are pixels between them."""
    input_size, heatmap_size = sizes
    (centre,), (size,) = padded_box(box, input_size)
    assert size[0] / size[1] == pytest.approx(input_size[1] / input_size[0])
    assert (size >= 1.25 * box[2:] - 1e-9).all()
    far = np.array(input_size[::-1]) - (1 if frame == "udp" else 0)
    to_image = crop_to_image(box, frame, input_size)[0]
    np.testing.assert_allclose(
        apply(to_image, np.array([[0, 0], far])), np.array([centre - size / 2, centre + size / 2]), atol=1e-9
    )
    cells = np.array(heatmap_size[::-1]) - (1 if frame == "udp" else 0)
    np.testing.assert_allclose(
        apply(cell_to_crop(frame, *sizes), np.array([[0, 0], cells])), np.array([[0, 0], far]), atol=1e-9
    )


@given(box=BOXES, sizes=SIZES, width=st.integers(2, 400), xy=POINTS)
def test_mirrors(box: np.ndarray, sizes: tuple, width: int, xy: np.ndarray) -> None:
    np.testing.assert_allclose(apply(mirror_matrix(width), apply(mirror_matrix(width), xy)), xy, atol=1e-9)
    assert apply(mirror_matrix(width), [[0, 5], [width - 1, 5]]).tolist() == [[width - 1, 5], [0, 5]]
    # in the udp frame the mirrored map is the mirrored crop's: no shift by a part of a cell
    (_, crop_width), (_, cells) = sizes
    to_crop = cell_to_crop("udp", *sizes)
    np.testing.assert_allclose(
        compose(mirror_matrix(cells), to_crop), compose(to_crop, mirror_matrix(crop_width)), atol=1e-9
    )
    assert (MIRROR[MIRROR] == np.arange(17)).all()


def test_an_unknown_frame_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown frame 'UDP': expected one of udp, stride"):
        crop_to_image([0, 0, 10, 10], "UDP")
