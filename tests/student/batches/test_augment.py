"""Random views: their geometry, their chances, and that they depend only on seed, epoch and row."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from cache_tools.geometry import apply, crop_to_image, padded_box
from cache_tools.skeletons import COCO
from student.augment_recipes import RECIPES
from student.batches.augment import AugmentedViews, half_body_boxes, sample_views, view_matrix
from student.settings import AugmentSettings

ROWS = 4000


class Persons(NamedTuple):
    """N persons with random boxes and keypoints."""

    box: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    visibility: NDArray[np.uint8]
    rows: NDArray[np.int64]

    def take(self, order: NDArray[np.int64]) -> "Persons":
        """Return some of the persons."""
        return Persons(self.box[order], self.keypoints[order], self.visibility[order], self.rows[order])

    def views(
        self,
        chosen: AugmentSettings,
        *,
        seed: int = 0,
        epoch: ArrayLike = 0,
        input_size: tuple[int, int] = (256, 192),
        frame: str = "udp",
    ) -> AugmentedViews:
        """Return a view of each person."""
        return sample_views(*self, chosen, skeleton=COCO, seed=seed, epoch=epoch, input_size=input_size, frame=frame)


@pytest.fixture(scope="module")
def persons() -> Persons:
    rng = np.random.default_rng(0)
    box = np.concatenate([rng.uniform(0, 400, (ROWS, 2)), rng.uniform(20, 300, (ROWS, 2))], axis=1)
    keypoints = box[:, None, :2] + rng.random((ROWS, 17, 2)) * box[:, None, 2:]
    return Persons(box, keypoints, rng.integers(0, 3, (ROWS, 17)).astype(np.uint8), np.arange(ROWS))


def test_a_view_depends_on_seed_epoch_and_row_only(persons: Persons) -> None:
    chosen = RECIPES["light"]
    whole = persons.views(chosen, seed=1, epoch=2)
    order = np.random.default_rng(1).permutation(ROWS)[:50]
    part = persons.take(order).views(chosen, seed=1, epoch=2)
    for name, values in vars(part).items():
        np.testing.assert_array_equal(values, getattr(whole, name)[order], err_msg=name)
    # one epoch a row, where a batch spans the end of an epoch
    epochs = np.where(persons.rows % 2, 2, 7)
    equal = persons.views(chosen, seed=1, epoch=epochs).crop_to_image == whole.crop_to_image
    np.testing.assert_array_equal(equal.all(axis=(1, 2)), epochs == 2)
    for seed, epoch in ((2, 2), (1, 3)):
        changed = persons.views(chosen, seed=seed, epoch=epoch).crop_to_image != whole.crop_to_image
        assert changed.any(axis=(1, 2)).all()


def test_one_setting_does_not_change_the_other_draws(persons: Persons) -> None:
    with_half = persons.views(RECIPES["vitpose"])
    without = persons.views(RECIPES["vitpose"].model_copy(update={"half_body": 0.0}))
    np.testing.assert_array_equal(with_half.flipped, without.flipped)
    np.testing.assert_array_equal(with_half.degrees, without.degrees)


@pytest.mark.parametrize("frame", ["udp", "stride"])
def test_no_augmentation_is_the_plain_crop(persons: Persons, frame: str) -> None:
    views = persons.views(RECIPES["none"], input_size=(128, 96), frame=frame)
    np.testing.assert_allclose(views.crop_to_image, crop_to_image(persons.box, frame, (128, 96)), atol=1e-9)
    assert not views.flipped.any()
    assert (views.zoom == 1).all()
    assert (views.degrees == 0).all()
    assert (views.gain == 1).all()
    assert (views.bias == 0).all()


def test_chances_and_ranges_are_those_of_the_settings(persons: Persons) -> None:
    """Tolerances are four standard errors of 4,000 draws."""
    views = persons.views(AugmentSettings(half_body=0, colour=0.4), seed=5)
    assert abs(views.flipped.mean() - 0.5) < 0.032
    turned = views.degrees != 0
    assert abs(turned.mean() - 0.6) < 0.031
    assert np.abs(views.degrees).max() == 80
    # 80 degrees are two standard deviations
    unclipped = np.abs(views.degrees[turned]) < 80
    assert abs(unclipped.mean() - 0.9545) < 0.02
    assert views.zoom.min() == 0.5
    assert views.zoom.max() == 1.5
    assert abs((np.abs(views.zoom - 1) < 0.5).mean() - 0.6827) < 0.03
    assert 0.6**2 <= views.gain.min() < 0.75
    assert 1.3 < views.gain.max() <= 1.4**2


def test_a_mirrored_view_has_a_mirrored_matrix(persons: Persons) -> None:
    views = persons.views(RECIPES["vitpose"])
    np.testing.assert_array_equal(np.linalg.det(views.crop_to_image[:, :, :2]) < 0, views.flipped)


def test_zoom_and_rotation_of_a_view_are_those_of_its_matrix(persons: Persons) -> None:
    views = persons.views(RECIPES["vitpose"])
    plain = crop_to_image(persons.box)
    scale = np.sqrt(np.abs(np.linalg.det(views.crop_to_image[:, :, :2])) / np.linalg.det(plain[:, :, :2]))
    np.testing.assert_allclose(views.zoom, scale, rtol=1e-9)
    # the direction of the view's y axis, which a mirror along x does not change
    down = views.crop_to_image[:, :, 1]
    np.testing.assert_allclose(np.degrees(np.arctan2(-down[:, 0], down[:, 1])), views.degrees, atol=1e-9)


@settings(max_examples=60)
@given(
    box=st.tuples(*[st.floats(-100, 500)] * 2, *[st.floats(5, 500)] * 2),
    zoom=st.floats(0.5, 1.5),
    degrees=st.floats(-80, 80),
    flipped=st.booleans(),
)
def test_a_udp_view_is_vitposes_warp(box: tuple[float, ...], zoom: float, degrees: float, flipped: bool) -> None:
    """Transformers' get_warp_matrix(rot, 2 * centre, size - 1, 200 * scale) turns the person, not the view."""
    from transformers.models.vitpose.image_processing_vitpose import get_warp_matrix

    centre, size = padded_box(np.array([box]), (256, 192))
    matrix = view_matrix(centre, size * zoom, np.array([degrees]), np.array([flipped]))[0]
    image_to_crop = get_warp_matrix(-degrees, centre[0] * 2, np.array([191.0, 255.0]), size[0] * zoom)
    xy_crop = np.array([[0, 0], [191, 0], [30, 200], [191, 255]], np.float64)
    xy_image = apply(matrix, xy_crop)
    if flipped:
        xy_crop[:, 0] = 191 - xy_crop[:, 0]
    # get_warp_matrix computes in float32
    np.testing.assert_allclose(apply(image_to_crop, xy_image), xy_crop, atol=0.02)


def test_half_body_boxes_are_around_their_joints() -> None:
    keypoints = np.zeros((1, 17, 2))
    keypoints[0, :11] = np.stack([np.linspace(10, 30, 11), np.linspace(0, 40, 11)], axis=1)
    keypoints[0, 11:] = np.stack([np.linspace(12, 28, 6), np.linspace(50, 100, 6)], axis=1)
    labelled = np.full((1, 17), 2, np.uint8)
    np.testing.assert_allclose(half_body_boxes(keypoints, labelled, COCO, np.array([True])), [[10, 0, 20, 40]])
    np.testing.assert_allclose(half_body_boxes(keypoints, labelled, COCO, np.array([False])), [[12, 50, 16, 50]])
    # two joints of the lower body are too few
    labelled[0, 13:] = 0
    np.testing.assert_allclose(half_body_boxes(keypoints, labelled, COCO, np.array([False])), [[10, 0, 20, 40]])


def test_half_bodies_are_shown_where_enough_joints_are_labelled(persons: Persons) -> None:
    views = persons.views(AugmentSettings(flip=0, half_body=1, scale_sd=0, rotate=0, shift=0))
    labelled = persons.visibility > 0
    enough = labelled.sum(1) > 8
    assert enough.any()
    assert not enough.all()
    np.testing.assert_allclose(views.crop_to_image[~enough], crop_to_image(persons.box[~enough]))
    centre = apply(views.crop_to_image, np.array([[95.5, 127.5]]))[:, 0]
    upper = labelled[..., None] & (np.arange(17) < 11)[:, None]
    upper_mean = np.where(upper, persons.keypoints, 0).sum(1) / np.maximum(upper.sum(1), 1)
    is_upper = np.abs(centre - upper_mean).max(1) < 1e-6
    assert 0.4 < is_upper[enough].mean() < 0.6
