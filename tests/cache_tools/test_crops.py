"""Stored crops: they show every view of the augmentation, at the place that their matrix states."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.crops import ENCODING, FIRST_ENCODING, CropPolicy, crop_regions, decode_crop, encode_crop
from cache_tools.geometry import apply, compose, crop_to_image, invert, padded_box
from cache_tools.images import cut, read_image
from cache_tools.photos.jpeg import with_channels
from cache_tools.photos.jpeg_parts import BLOCK
from cache_tools.skeletons import COCO
from student.augment_recipes import RECIPES
from student.batches.augment import sample_views, view_matrix

POLICY = CropPolicy()
BOXES = st.tuples(st.floats(-50, 600), st.floats(-50, 400), st.floats(2, 600), st.floats(2, 500)).map(np.array)
IMAGE_SIZES = st.tuples(st.integers(20, 500), st.integers(20, 650))


@given(
    box=BOXES,
    size=IMAGE_SIZES,
    zoom=st.floats(0.5, 1.5),
    degrees=st.floats(-80, 80),
    shift=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
    flipped=st.booleans(),
)
def test_a_region_holds_every_pixel_that_a_view_can_touch(
    box: np.ndarray,
    size: tuple[int, int],
    zoom: float,
    degrees: float,
    shift: tuple[float, float],
    flipped: bool,
) -> None:
    centre, whole = padded_box(box, (256, 192))
    matrix = view_matrix(
        centre + np.array(shift) * whole, whole * zoom, np.array([degrees]), np.array([flipped]), (256, 192)
    )[0]
    edge = [(x, y) for x in np.linspace(0, 191, 9) for y in np.linspace(0, 255, 9)]
    xy = apply(matrix, edge)
    # the pixels that bilinear sampling reads
    pixels = np.concatenate([np.floor(xy), np.floor(xy) + 1])
    inside = pixels[((pixels >= 0) & (pixels < size[::-1])).all(axis=1)]
    left, top, right, bottom = crop_regions(box[None], np.array(size), POLICY)[0]
    assert (inside >= [left, top]).all()
    assert (inside < [right, bottom]).all()


@given(box=BOXES, size=IMAGE_SIZES, density=st.floats(0.5, 3), input_size=st.sampled_from([(256, 192), (128, 96)]))
@settings(max_examples=60)
def test_a_crop_is_bounded_by_its_policy_and_never_enlarged(
    box: np.ndarray, size: tuple[int, int], density: float, input_size: tuple[int, int]
) -> None:
    policy = CropPolicy(density=density, input_size=input_size)
    _, matrix, (height, width) = encode_crop(np.zeros((*size, 3), np.uint8), box, policy)
    # up to a JPEG block more at the left and top, and one pixel for the next of bilinear sampling
    largest = np.ceil(density * np.multiply(input_size, policy.coverage)) + BLOCK + 1
    assert ([height, width] <= largest).all()
    step = matrix[[0, 1], [0, 1]]  # image pixels for one stored pixel
    assert (step >= 1).all()
    needed = padded_box(box, input_size)[1][0, 1] / (density * input_size[0])
    # denser than the policy: made smaller to its density, rounded to whole pixels
    if needed > 1:
        left, top, right, bottom = crop_regions(box[None], np.array(size), policy)[0]
        assert width == max(1, int((right - left) / needed))
        assert height == max(1, int((bottom - top) / needed))


@pytest.mark.parametrize("box", [(150, 100, 40, 90), (60, 40, 330, 380), (-20, 300, 200, 200)])
def test_a_view_of_the_crop_is_the_view_of_the_photo(box: tuple[int, ...]) -> None:
    y, x = np.mgrid[:480, :640]
    image = np.stack([40 + x / 4, 30 + y / 3, 200 - x / 8 - y / 8], axis=2).astype(np.uint8)
    data, stored_to_image, size = encode_crop(image, box, POLICY)
    crop = decode_crop(data)
    assert crop.shape == (*size, 3)
    for view in (crop_to_image(box), view_matrix(*padded_box(box, (256, 192)), np.array([30.0]), np.array([True]))):
        direct = cut(image, view[0], (256, 192)).astype(int)
        from_crop = cut(crop, compose(view[0], invert(stored_to_image)), (256, 192)).astype(int)
        inside = cut(np.full_like(image, 255), view[0], (256, 192)).min(axis=2) == 255
        # a quarter pixel off would be a level or more everywhere along the gradients
        assert np.abs(direct - from_crop)[inside].mean() < 0.8
        assert np.median((direct - from_crop)[inside]) == 0


def test_a_crop_is_the_same_bytes_every_time() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    assert encode_crop(image, (50, 60, 100, 200), POLICY)[0] == encode_crop(image, (50, 60, 100, 200), POLICY)[0]


@pytest.mark.parametrize("step", [1.3, 2.0, 2.7, 5.1])
def test_a_crop_is_made_smaller_without_a_shift(step: float) -> None:
    """A ramp of brightness shows any: each pixel is the ramp at the place that the matrix states."""
    ramp = np.clip((np.arange(1200) - 450) * 0.85, 0, 255)
    # noise, because the mean of two neighbours would always be rounded up
    noisy = ramp[:, None] + np.random.default_rng(0).normal(0, 4, (900, 1200, 3))
    image = np.clip(noisy.round(), 0, 255).astype(np.uint8)
    height = 256.0 * step
    data, matrix, (_, width) = encode_crop(image, (500, 200, height * 0.75, height), CropPolicy())
    assert matrix[0, 0] == pytest.approx(step, rel=0.02)
    found = decode_crop(data).astype(float).mean(axis=(0, 2))
    expected = (matrix[0, 0] * np.arange(width) + matrix[0, 2] - 450) * 0.85
    inside = (expected > 20) & (expected < 235)
    # half a pixel of the photo would be .43 levels
    assert abs((found - expected)[inside].mean()) < 0.25


def test_both_encodings_are_made_of_the_same_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 3), np.uint8)
    policies = [CropPolicy(encoding=encoding) for encoding in (FIRST_ENCODING, ENCODING)]
    crops = [encode_crop(image, (100, 60, 100, 150), policy) for policy in policies]
    old, new = (decode_crop(crop.jpeg).astype(int) for crop in crops)
    assert np.array_equal(crops[0].pixel_to_image, crops[1].pixel_to_image)
    assert np.abs(old - new).mean() < 1
    assert [b"\xff\xdd" in crop.jpeg[:700] for crop in crops] == [False, True]
    with pytest.raises(ValueError, match="encoding 3: expected 1 to 2"):
        CropPolicy(encoding=3)


def test_four_channels_give_the_same_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    for policy in (CropPolicy(encoding=FIRST_ENCODING), CropPolicy()):
        for box in ((50, 60, 100, 200), (10, 10, 380, 280)):
            assert encode_crop(with_channels(image, 4), box, policy).jpeg == encode_crop(image, box, policy).jpeg


def test_a_damaged_crop_is_refused() -> None:
    data, _, _ = encode_crop(np.full((100, 100, 3), 77, np.uint8), (10, 10, 50, 80), POLICY)
    with pytest.raises(ValueError, match=r"."):
        decode_crop(data[: len(data) // 2])


def test_the_region_names_every_number_of_the_policy() -> None:
    assert CropPolicy(zoom=2).region != CropPolicy().region
    assert CropPolicy(rotation=45).region != CropPolicy().region
    assert CropPolicy(shift=0.2).region != CropPolicy().region
    assert CropPolicy(density=2).region != CropPolicy().region
    assert CropPolicy(input_size=(128, 96)).region != CropPolicy().region


def test_views_of_real_persons_lose_little(shared_data: Path) -> None:
    persons = read_coco(shared_data / "coco" / "person_keypoints_val.json").take(slice(0, 356, 9))
    rows = np.arange(len(persons))
    views = sample_views(
        persons.box, persons.keypoints, persons.visibility, rows, RECIPES["vitpose"], skeleton=COCO
    ).crop_to_image
    psnr = []
    for row, view in enumerate(views):
        image = read_image(shared_data / "coco" / "val" / persons.file_name[row])
        data, stored_to_image, _ = encode_crop(image, persons.box[row], POLICY)
        seen = cut(decode_crop(data), compose(view, invert(stored_to_image)), (256, 192))
        error = np.mean((seen.astype(float) - cut(image, view, (256, 192))) ** 2)
        psnr.append(10 * np.log10(255**2 / max(float(error), 1e-9)))
    assert np.median(psnr) > 38
