"""Photos as they are on the disk: whole, of the stated size, upright only where that is requested."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from cache_tools.geometry import crop_to_image
from cache_tools.images import Image, cut, read_image
from cache_tools.photos.jpeg import with_channels
from cache_tools.photos.options import UPRIGHT


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Write a JPEG of 40 rows and 60 columns, red on its left half, that its EXIF data rotate by a quarter turn."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = 255, 0, 0
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    PillowImage.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    return tmp_path / "photo.jpg"


def test_pixels_are_rgb_and_as_stored_unless_upright_is_requested(photo: Path) -> None:
    stored, upright = read_image(photo, (40, 60)), read_image(photo, options=UPRIGHT)
    assert stored[20, 5].tolist() == pytest.approx([255, 0, 0], abs=6)
    assert upright.shape == (60, 40, 3)
    assert upright[5, 20].tolist() == pytest.approx([255, 0, 0], abs=6)


def test_what_is_no_whole_image_of_that_size_is_refused(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"photo\.jpg is 40x60 pixels, its annotations say 60x40"):
        read_image(photo, (60, 40))
    photo.write_bytes(photo.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"photo\.jpg is a damaged JPEG file .*end of JPEG.*fetch it again"):
        read_image(photo)
    for content in (b"", b"<html>not found</html>"):
        photo.write_bytes(content)
        with pytest.raises(ValueError, match="is not an image"):
            read_image(photo)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.jpg")


@pytest.mark.parametrize("prepare", [partial(with_channels, channels=4), np.copy], ids=["bgra", "rgb"])
def test_a_crop_is_opencvs_and_is_written_to_its_place(prepare: Callable[[Image], Image]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    matrix = np.array([[0.7, 0.2, -3.0], [-0.1, 0.9, 4.0]])
    expected = cv2.warpAffine(image, matrix, (30, 20), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.array_equal(cut(prepare(image), matrix, (20, 30)), expected)
    batch = np.zeros((2, 20, 30, 3), np.uint8)
    cut(prepare(image), matrix, (20, 30), out=batch[1])
    assert np.array_equal(batch[1], expected)
    assert not batch[0].any()
    wrong: Any
    for wrong in (np.empty((21, 30, 3), np.uint8), np.empty((20, 30, 3), np.float32)):
        with pytest.raises(ValueError, match=r"expected \(20, 30, 3\) uint8"):
            cut(prepare(image), matrix, (20, 30), out=wrong)


@pytest.mark.parametrize("step", [3.9, 4.0, 5.5])
@pytest.mark.parametrize("prepare", [np.copy, partial(with_channels, channels=4)], ids=["rgb", "bgra"])
def test_a_larger_image_is_halved_before_it_is_cut(step: float, prepare: Callable[[Image], Image]) -> None:
    """The oracle is bilinear interpolation of block means, each by numpy."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (131, 127, 3), np.uint8)
    matrix = np.array([[step, 0, 7.3], [0, step, -4.2]])
    small, size = image.astype(np.float64), (24, 18)
    for _ in range(int(np.log2(step)) if step >= 4 else 0):
        padded = np.pad(small, ((0, small.shape[0] % 2), (0, small.shape[1] % 2), (0, 0)))
        small = np.floor(padded.reshape(padded.shape[0] // 2, 2, -1, 2, 3).mean((1, 3)) + 0.5)
        matrix = (matrix - [[0, 0, 0.5], [0, 0, 0.5]]) / 2
    expected = cv2.warpAffine(small.astype(np.uint8), matrix, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    found = cut(prepare(image), np.array([[step, 0, 7.3], [0, step, -4.2]]), size)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_noise_of_a_large_image_is_averaged() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (1024, 768, 3)).clip(0, 255).astype(np.uint8)
    crop = cut(noise, crop_to_image([[0, 0, 768, 1024]])[0], (256, 192))
    assert crop[40:200, 40:150].std() < 20 / 4


def test_a_crop_beside_a_large_image_is_black() -> None:
    image = np.full((600, 600, 3), 200, np.uint8)
    assert not cut(image, np.array([[4.0, 0, 900], [0, 4.0, 900]]), (32, 32)).any()
