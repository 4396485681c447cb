"""Photos that were annotated as their EXIF orientation turns them, and photos with a video after them."""

from pathlib import Path

import numpy as np
import pytest

from cache_tools.images import read_image
from cache_tools.photos.options import NOT_STATED, UPRIGHT
from pipeline.evaluation.evaluation import evaluate
from pipeline.teachers.load import load_network
from student.inference import Inference
from student.pose_network import PoseNetwork

WITHOUT_FLIP = Inference(flip=False)


@pytest.fixture(scope="module")
def tinypose(shared_data: Path) -> PoseNetwork:
    return load_network(f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride", device="cpu")


@pytest.mark.parametrize("orientation", [3, 6])
def test_turned_photos_have_the_ap_of_upright_ones(tinypose: PoseNetwork, shared_cases: Path, orientation: int) -> None:
    """66.2 of the photos as they were; these were turned and compressed once more."""
    labels, photos = shared_cases / "base" / "val.json", shared_cases / "exif" / f"img{orientation}"
    metrics = evaluate(tinypose, labels, photos, inference=WITHOUT_FLIP, photo_options=UPRIGHT, progress=False).metrics
    assert metrics.percent("AP") == pytest.approx(66.2, abs=0.15)
    assert metrics.protocol.exif


def test_a_half_turn_is_warned_of(tinypose: PoseNetwork, shared_cases: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels, photos = shared_cases / "base" / "val.json", shared_cases / "exif" / "img3"
    evaluate(tinypose, labels, photos, inference=WITHOUT_FLIP, photo_options=NOT_STATED, progress=False)
    assert any(message.startswith("10 of 10 photos have an EXIF orientation") for message in caplog.messages)


def test_a_quarter_turn_names_the_option(tinypose: PoseNetwork, shared_cases: Path) -> None:
    labels, photos = shared_cases / "base" / "val.json", shared_cases / "exif" / "img6"
    with pytest.raises(ValueError, match=r"000000000785\.jpg is 640x425 pixels, .* give --exif"):
        evaluate(tinypose, labels, photos, inference=WITHOUT_FLIP, progress=False)


def test_a_video_after_a_photo_is_not_looked_at(shared_cases: Path) -> None:
    *whole, truncated = sorted((shared_cases / "motion_photo" / "img").iterdir())
    for photo in whole:
        np.testing.assert_array_equal(read_image(photo), read_image(shared_cases / "base" / "img" / photo.name))
    assert len(whole) == 3
    with pytest.raises(ValueError, match=r"000000009483\.jpg is a damaged JPEG file"):
        read_image(truncated)
