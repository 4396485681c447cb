"""Decoding, compared with UDP's official decoder by OpenCV and with transformers'."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, read_image
from student.heatmaps.decode import dark_decode, find_peaks, largest_cell
from tests.samples.gaussian_maps import SIZE, gaussian_maps, noisy_maps


def official_dark(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Run UDP's `post_dark_udp` on the largest cells, one map at a time, with OpenCV's blur."""
    keypoints = np.zeros((*maps.shape[:2], 2))
    for person, joint in np.ndindex(*maps.shape[:2]):
        y, x = np.unravel_index(maps[person, joint].argmax(), maps.shape[2:])
        blurred = cv2.GaussianBlur(maps[person, joint], (11, 11), 0)
        log = np.pad(np.log(np.clip(blurred, 0.001, 50)).astype(np.float64), 1, mode="edge")
        y1, x1 = y + 1, x + 1
        i, ix1, iy1 = log[y1, x1], log[y1, x1 + 1], log[y1 + 1, x1]
        ix1_, iy1_ = log[y1, x1 - 1], log[y1 - 1, x1]
        gradient = 0.5 * np.array([ix1 - ix1_, iy1 - iy1_])
        dxy = 0.5 * (log[y1 + 1, x1 + 1] - ix1 - iy1 + 2 * i - ix1_ - iy1_ + log[y1 - 1, x1 - 1])
        hessian = np.array([[ix1 - 2 * i + ix1_, dxy], [dxy, iy1 - 2 * i + iy1_]])
        step = np.linalg.solve(hessian + np.finfo(np.float32).eps * np.eye(2), gradient)
        keypoints[person, joint] = [x, y] - step
    return keypoints


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_dark_is_the_official_decoder(device: str) -> None:
    """Also at the border, where the official decoder errs but is the one that AP is compared by."""
    maps = noisy_maps(40)
    expected = official_dark(maps)
    xy, score = (t.cpu().numpy() for t in dark_decode(torch.from_numpy(maps).to(device)))
    largest = maps.reshape(40, 17, -1).argmax(-1)
    cells = np.stack([largest % 48, largest // 48], -1)
    near = np.abs(expected - cells).max(-1) <= 5
    assert near.mean() > 0.98
    np.testing.assert_allclose(xy[near], expected[near], atol=2e-3)
    # a step longer than half the blur's kernel is refused
    np.testing.assert_array_equal(xy[~near], cells[~near])
    np.testing.assert_array_equal(score, maps.max((2, 3)))


def test_dark_agrees_with_transformers_at_the_official_sigma(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.vitpose import image_processing_vitpose as vitpose

    gaussian_filter: Any = vitpose.gaussian_filter

    def official_filter(image: NDArray[np.float32], sigma: float, **rest: Any) -> NDArray[np.float32]:
        """Blur with the official sigma and border in place of transformers'."""
        return np.asarray(gaussian_filter(image, sigma=2.0, mode="mirror", **rest))

    monkeypatch.setattr(vitpose, "gaussian_filter", official_filter)
    maps = noisy_maps(20, seed=2)
    cells, scores = vitpose.get_keypoint_predictions(maps)
    expected = vitpose.post_dark_unbiased_data_processing(cells.copy(), maps.copy(), kernel=11)
    xy, score = (t.numpy() for t in dark_decode(torch.from_numpy(maps)))
    near = np.abs(expected - cells).max(-1) <= 5
    assert near.mean() > 0.98
    np.testing.assert_allclose(xy[near], expected[near], atol=2e-3)
    np.testing.assert_allclose(score, scores[..., 0])


def test_dark_is_the_official_decoder_on_a_real_teachers_maps(shared_data: Path) -> None:
    maps = tinypose_maps(shared_data, np.arange(0, 700, 70))
    expected = official_dark(maps)
    xy, _ = dark_decode(torch.from_numpy(maps))
    error = np.abs(xy.numpy() - expected).max(-1)
    assert np.quantile(error, 0.99) < 1e-3
    assert (error[maps.max((2, 3)) > 0.2] < 0.01).all()


def tinypose_maps(shared_data: Path, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return TinyPose's maps (B, 17, 64, 48) of rows of the real photos."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(shared_data / "teachers" / "tinypose_256x192.onnx", options)
    persons = read_coco(shared_data / "coco" / "person_keypoints_train.json").take(rows)
    matrices = crop_to_image(persons.box, "stride")
    photos = (read_image(shared_data / "coco" / "train" / name) for name in persons.file_name)
    crops = np.stack([cut(photo, matrix, (256, 192)) for photo, matrix in zip(photos, matrices, strict=True)])
    pixels = (crops / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    (maps,) = session.run(None, {session.get_inputs()[0].name: pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    return np.asarray(maps, np.float32)


def test_dark_finds_clean_peaks_and_does_not_move_from_flat_maps() -> None:
    xy = np.random.default_rng(3).uniform(6, [41, 57], (50, 17, 2))
    found, score = dark_decode(torch.from_numpy(gaussian_maps(xy)))
    np.testing.assert_allclose(found.numpy(), xy, atol=0.01)
    assert (score > 0.93).all()
    found, score = dark_decode(torch.zeros(2, 17, *SIZE))
    assert (found == 0).all()
    assert (score == 0).all()


def test_peaks_are_found_up_to_the_border() -> None:
    xy = np.random.default_rng(4).uniform(1, [46, 62], (50, 17, 2))
    np.testing.assert_allclose(find_peaks(torch.from_numpy(gaussian_maps(xy))).numpy(), xy, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (2, 3, 5, 4), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])))
def test_of_equal_largest_cells_the_first_is_taken(maps: NDArray[np.float32]) -> None:
    index = maps.reshape(2, 3, -1).argmax(-1)
    _, score = dark_decode(torch.from_numpy(maps))
    found = find_peaks(torch.from_numpy(maps))
    assert np.array_equal(score.numpy(), maps.max((2, 3)))
    # a Newton step moves by one cell at most
    assert np.abs(found.numpy() - np.stack([index % 4, index // 4], axis=-1)).max() <= 1
    x, y, value = largest_cell(torch.from_numpy(maps))
    assert np.array_equal(y.numpy() * 4 + x.numpy(), index)
    assert np.array_equal(value.numpy(), maps.max((2, 3)))
