"""Stored crops hold the views of every recipe; wider views get a warning."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cache_tools.crops import CropPolicy, crop_regions
from cache_tools.geometry import apply
from cache_tools.skeletons import COCO
from cache_tools.store.crops_spec import CropsSpec
from student.augment_recipes import RECIPES
from student.batches.augment import sample_views
from student.batches.crop_coverage import beyond_crops
from student.settings import AugmentSettings
from tests.samples.coco_joints import UPPER_BODY
from tests.samples.small_store import persons, spec_of


@st.composite
def standing_person(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw box (1, 4) and joints (1, 17, 2) of a person at least twice as tall as wide; its halves overlap a little."""
    x, y, height = draw(st.floats(0, 300)), draw(st.floats(0, 200)), draw(st.floats(40, 400))
    width = height * draw(st.floats(0.1, 0.5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    joints = rng.uniform(0, 1, (1, 17, 2)) * [width, 0.6 * height]
    joints[:, UPPER_BODY[-1] + 1 :, 1] += 0.4 * height
    return np.array([[x, y, width, height]]), joints + np.array([x, y])


@settings(max_examples=60)
@given(
    person=standing_person(),
    image_size=st.tuples(st.integers(300, 900), st.integers(300, 900)),
    seed=st.integers(0, 2**32),
)
def test_stored_crops_hold_vitposes_widest_views_of_a_standing_person(
    person: tuple[NDArray[np.float64], NDArray[np.float64]], image_size: tuple[int, int], seed: int
) -> None:
    """Half-body views as well; zoom and rotation at their limits, and no shift, which has no limit."""
    box, keypoints = person
    extreme = RECIPES["vitpose"].model_copy(
        update={"half_body": 0.5, "scale_sd": 100.0, "rotate": 1.0, "rotate_sd": 400.0, "shift": 0.0}
    )
    rows = np.arange(32)
    visibility = np.full((len(rows), 17), 2, np.uint8)
    views = sample_views(
        box.repeat(32, 0), keypoints.repeat(32, 0), visibility, rows, extreme, skeleton=COCO, seed=seed
    )
    edge = [(x, y) for x in np.linspace(0, 191, 7) for y in np.linspace(0, 255, 9)]
    xy = apply(views.crop_to_image, edge)
    inside = ((xy >= 0) & (xy <= np.array(image_size)[::-1] - 1)).all(-1)
    left, top, right, bottom = crop_regions(box, np.array([image_size]), CropPolicy())[0]
    stored = np.asarray(((xy >= [left, top]) & (xy <= [right - 1, bottom - 1])).all(-1))
    assert stored[inside].all()


def spec_for(policy: CropPolicy) -> CropsSpec:
    """Return the spec that a build records for a policy."""
    return CropsSpec.of(policy)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_within_the_default_crops(name: str) -> None:
    spec = spec_of(persons(3), crops=spec_for(CropPolicy()))
    assert beyond_crops(spec, name, (256, 192)) is None
    assert beyond_crops(spec, name, (128, 96)) is None


@pytest.mark.parametrize(
    ("changes", "input_size"),
    [({"scale_range": (0.5, 2.0)}, (256, 192)), ({"shift_sd": 0.1}, (256, 192)), ({}, (192, 192)), ({}, (256, 128))],
)
def test_views_wider_than_the_crops_get_one_line_of_warning(
    changes: dict[str, Any], input_size: tuple[int, int]
) -> None:
    spec = spec_of(persons(3), crops=spec_for(CropPolicy()))
    wide = AugmentSettings(**changes)
    warning = beyond_crops(spec, wide, input_size)
    assert warning is not None
    assert "\n" not in warning
    assert "the stored crops 2.08 x 2.70" in warning
    assert beyond_crops(spec_of(persons(3), crops=spec_for(CropPolicy(zoom=4))), wide, input_size) is None
    assert beyond_crops(spec_of(persons(3), crops=None), wide, input_size) is None
    # a store of an older version, which does not record how wide its crops are
    assert beyond_crops(spec_of(persons(3)), wide, input_size) is None


def test_a_rotation_wider_than_the_crops_gets_a_warning() -> None:
    spec = spec_of(persons(3), crops=spec_for(CropPolicy(rotation=20)))
    assert beyond_crops(spec, "vitpose", (256, 192)) is not None
    assert beyond_crops(spec, AugmentSettings(rotate_limit=20), (256, 192)) is None
