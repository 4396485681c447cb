"""Photos and boxes -> keypoints: geometry of the crop and back, order, prefetch."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cache_tools.geometry import apply, cell_to_crop, crop_to_image, invert
from cache_tools.images import read_image
from cache_tools.photos.options import PhotoOptions
from cache_tools.skeletons import COCO, Skeleton
from student import prediction as module
from student.heatmaps.targets import render_targets
from student.inference import Inference
from student.pose_network import Crops, Maps
from student.prediction import decode_keypoints, predict, predict_heatmaps, read_crops


class ColourFinder:
    """A network that puts every joint on the green dot in the crop."""

    name, digest, licence, sigma = "colour finder", "none", "none", 2.0
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size = (128, 96), (32, 24)

    def __init__(self, frame: str) -> None:
        self.frame = frame
        self.calls = 0

    def __call__(self, crops: Crops) -> Maps:
        self.calls += 1
        to_cell = invert(cell_to_crop(self.frame, self.input_size, self.heatmap_size))
        xy = np.full((len(crops), 17, 2), 5.0)
        for row, crop in enumerate(crops):
            weight = crop[..., 1].astype(float) * (crop[..., 1] > 30)
            if weight.sum():
                y, x = np.indices(weight.shape)
                xy[row] = apply(to_cell, [[(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()]])
        return render_targets(torch.from_numpy(xy), self.heatmap_size, 2.0).numpy()


@pytest.fixture
def photos(tmp_path: Path) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Three photos with two persons each; every person is a box with a green dot (N, 2) in it."""
    rng = np.random.default_rng(0)
    paths, boxes, dots = [], [], []
    for number in range(3):
        image = np.zeros((240, 320, 3), np.uint8)
        for left in (10, 170):
            box = np.array([left, 20, 120, 200.0])
            dot = box[:2] + rng.uniform(0.3, 0.7, 2) * box[2:]
            cv2.circle(image, np.round(dot * 16).astype(int), 4 * 16, (0, 255, 0), -1, cv2.LINE_AA, 4)
            boxes.append(box)
            dots.append(dot)
            paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths, np.array(boxes), np.array(dots)


@pytest.mark.parametrize("frame", ["udp", "stride"])
def test_what_lies_in_the_photo_is_found_there(frame: str, photos: tuple[list[Path], np.ndarray, np.ndarray]) -> None:
    paths, boxes, dots = photos
    teacher = ColourFinder(frame)
    found = predict(teacher, paths, boxes, Inference(flip=False, batch_size=4))
    assert teacher.calls == 2
    np.testing.assert_allclose(found[:, :, :2], np.repeat(dots[:, None], 17, 1), atol=0.6)
    assert (found[:, :, 2] > 0.9).all()


@pytest.mark.parametrize(("frame", "tolerance"), [("udp", 0.8), ("stride", 1.2)])
def test_the_flip_test_moves_nothing(
    frame: str, tolerance: float, photos: tuple[list[Path], np.ndarray, np.ndarray]
) -> None:
    """In the stride frame the mirrored maps lie a quarter of a cell off, by HRNet's rule: half of that in the mean."""
    paths, boxes, dots = photos
    found = predict(ColourFinder(frame), paths, boxes, Inference(flip=True))
    np.testing.assert_allclose(found[:, 0, :2], dots, atol=tolerance)


def test_photos_may_be_arrays_or_one_photo_of_several_persons(
    photos: tuple[list[Path], np.ndarray, np.ndarray],
) -> None:
    paths, boxes, _ = photos
    network = ColourFinder("udp")
    expected = predict(network, paths, boxes)
    images = [read_image(path) for path in paths]
    np.testing.assert_array_equal(predict(network, images, boxes), expected)
    np.testing.assert_array_equal(predict(network, np.stack(images), boxes), expected)
    for photo in (paths[0], str(paths[0]), images[0]):
        np.testing.assert_array_equal(predict(network, photo, boxes[:2]), expected[:2])
    whole = [[0, 0, 320, 240]]
    np.testing.assert_array_equal(predict(network, paths[0]), predict(network, paths[:1], whole))
    assert predict(network, paths[::2]).shape == (3, 17, 3)
    with pytest.raises(ValueError, match="6 photos and 2 boxes: expected the photo of each box, or one photo"):
        predict(network, paths, boxes[:2])
    with pytest.raises(ValueError, match=r"expected RGB \(height, width, 3\) in uint8"):
        predict(network, [np.float32(images[0])])  # type: ignore[list-item]  # this is the mistake


def test_flipped_maps_are_of_the_same_joints() -> None:
    class Sided:
        """A network that finds joint 5 on the left of the crop and joint 6 on the right, mirrored or not."""

        name, digest, licence, sigma = "sided", "none", "none", 2.0
        skeleton: Skeleton | None = COCO
        joints: tuple[str | None, ...] | None = None
        input_size, heatmap_size, frame = (64, 48), (16, 12), "udp"

        def __call__(self, crops: Crops) -> Maps:
            maps = np.zeros((len(crops), 17, 16, 12), np.float32)
            maps[:, 5, 8, 2] = maps[:, 6, 8, 9] = 1
            return maps

    crops = np.zeros((1, 64, 48, 3), np.uint8)
    np.testing.assert_array_equal(predict_heatmaps(Sided(), crops, flip=True), predict_heatmaps(Sided(), crops))


def test_a_photo_is_read_once_and_crops_come_in_order(
    photos: tuple[list[Path], np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, boxes, _ = photos
    read: list[Path] = []

    def counted(path: str, size: tuple[int, int] | None, options: PhotoOptions) -> np.ndarray:
        read.append(Path(path))
        return original(path, size, options)

    original = module.read_image
    monkeypatch.setattr(module, "read_image", counted)
    matrices = crop_to_image(boxes, "udp", (128, 96))
    crops = list(read_crops(paths, matrices, (128, 96), workers=3))
    assert sorted(read) == sorted(set(paths))
    for path, matrix, crop in zip(paths, matrices, crops, strict=True):
        np.testing.assert_array_equal(crop, module.cut(original(path, None), matrix, (128, 96)))


def test_a_photo_of_another_size_than_annotated(photos: tuple[list[Path], np.ndarray, np.ndarray]) -> None:
    paths, boxes, _ = photos
    with pytest.raises(ValueError, match="240x320 pixels, its annotations say 100x100"):
        predict(ColourFinder("udp"), paths, boxes, photo_sizes=[(100, 100)] * len(paths))


def test_heatmaps_of_a_diverged_network_are_refused() -> None:
    maps = np.zeros((1, 17, 16, 12), np.float32)
    maps[0, 3, 4, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        decode_keypoints(maps, np.eye(2, 3)[None], torch.device("cpu"))
