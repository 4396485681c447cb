"""The EXIF orientation of files of each format, and images turned by it, as Pillow does."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from cache_tools.images import read_image
from cache_tools.photos.options import UPRIGHT
from cache_tools.photos.orientation import orientation_of, orientation_tag, stated_orientation, turned, turned_back
from tests.samples.photo_files import content, picture

FORMATS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"big_tiff": True}),
]  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format", "options"), FORMATS)
def test_files_are_read_as_stored_and_turned_as_pillow_turns_them(
    format: str, options: dict[str, Any], orientation: int, tmp_path: Path
) -> None:
    data = content(picture(), format, orientation, **options)
    path = tmp_path / f"photo.{format.lower()}"
    path.write_bytes(data)
    assert orientation_of(path) == stated_orientation(data) == orientation
    # Pillow, too, turns these files whatever it is told
    stored = np.asarray(PillowImage.open(io.BytesIO(content(picture(), format, **options))))
    np.testing.assert_array_equal(read_image(path), stored)
    with_tag = PillowImage.fromarray(stored)
    with_tag.getexif()[0x0112] = orientation
    shown = np.asarray(ImageOps.exif_transpose(with_tag))
    np.testing.assert_array_equal(read_image(path, options=UPRIGHT), shown)
    np.testing.assert_array_equal(turned(stored, orientation), shown)
    np.testing.assert_array_equal(turned_back(shown, orientation), stored)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_file_that_states_none_has_one(format: str) -> None:
    assert stated_orientation(content(picture(), format)) == 1


def test_a_damaged_structure_states_none(tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    assert orientation_tag(data) == 6
    assert [orientation_tag(data[:length]) for length in range(18)] == [1] * 18
    assert orientation_tag(data.replace(b"\x06", b"\x09")) == 1
    (tmp_path / "empty.jpg").touch()
    assert orientation_of(tmp_path / "empty.jpg") == 1


def test_the_size_that_only_the_turned_photo_has_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content(picture(), "JPEG", 6))
    with pytest.raises(ValueError, match=r"photo\.jpg is 40x60 pixels, its annotations say 60x40, .*give --exif"):
        read_image(path, (60, 40))
    with pytest.raises(ValueError, match=r"photo\.jpg is 60x40 pixels, its annotations say 40x60, .*give --no-exif"):
        read_image(path, (40, 60), UPRIGHT)
    with pytest.raises(ValueError, match=r"its annotations say 61x40$"):
        read_image(path, (61, 40))
