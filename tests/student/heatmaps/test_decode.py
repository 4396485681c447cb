"""Targets, decoding and the mirror, against OpenCV, transformers and formulas written a second time."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.coco import MIRROR
from cache_tools.codec.profiles import PROFILES, get_codec
from cache_tools.geometry import crop_to_image
from cache_tools.images import cut, read_image
from cache_tools.instances import read_coco
from student.heatmaps.decode import dark_decode, find_peaks
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.mirror import mirror_maps
from student.heatmaps.targets import render_targets, target_weight

SIZE = (64, 48)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def gaussians(xy: NDArray[np.float64], size: tuple[int, int] = SIZE, sigma: float = 2.0) -> NDArray[np.float32]:
    """Equation 3 of the paper, cell by cell, in float64."""
    y, x = np.mgrid[: size[0], : size[1]]
    squared = (x - xy[..., 0, None, None]) ** 2 + (y - xy[..., 1, None, None]) ** 2
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


def messy_maps(persons: int, seed: int = 0) -> NDArray[np.float32]:
    """Two peaks of different height and much noise, as an undertrained network draws."""
    rng = np.random.default_rng(seed)
    first, second = (gaussians(rng.uniform(-1, [48, 64], (persons, 17, 2))) for _ in range(2))
    return (first + rng.uniform(0, 0.9) * second + rng.normal(0, 0.03, first.shape)).astype(np.float32)


def official_dark(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """UDP's `post_dark_udp` on the largest cells, one map at a time, with OpenCV's own blur."""
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


def test_targets_are_equation_3_at_any_point():
    xy = np.random.default_rng(0).uniform(-10, 70, (3, 17, 2))
    drawn = render_targets(torch.from_numpy(xy), SIZE, 1.7)
    assert drawn.shape == (3, 17, *SIZE)
    assert drawn.dtype == torch.float32
    np.testing.assert_allclose(drawn.numpy(), gaussians(xy, sigma=1.7), atol=2e-6)


def test_a_joint_counts_when_it_is_labelled_and_on_the_map():
    xy = torch.tensor([[[0, 0], [47.4, 63.4], [47.6, 5], [5, 63.6], [-0.6, 5], [20, 20], [20, 20]]])
    visibility = torch.tensor([[1, 2, 2, 2, 2, 0, 1]], dtype=torch.uint8)
    assert target_weight(xy, visibility, SIZE).tolist() == [[1, 1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [SIZE, (32, 24)])
@pytest.mark.parametrize("profile", PROFILES)
def test_codes_decode_on_the_device_as_in_numpy(profile, size, device):
    codec = get_codec(profile, size)
    maps = np.random.default_rng(1).random((4, 17, *size), dtype=np.float32) ** 4
    codes = codec.encode(maps)
    decoded = decode_codes(torch.from_numpy(codes).to(device), DeviceCodec.of(codec, device))
    assert decoded.dtype == torch.float32
    np.testing.assert_allclose(decoded.cpu().numpy(), codec.decode(codes), atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_dark_is_the_official_decoder(device):
    """Also where a peak lies on the border, where the official one is not right but is what AP is compared by."""
    maps = messy_maps(40)
    expected = official_dark(maps)
    xy, score = (t.cpu().numpy() for t in dark_decode(torch.from_numpy(maps).to(device)))
    cells = np.stack([maps.reshape(40, 17, -1).argmax(-1) % 48, maps.reshape(40, 17, -1).argmax(-1) // 48], -1)
    near = np.abs(expected - cells).max(-1) <= 5
    assert near.mean() > 0.98
    np.testing.assert_allclose(xy[near], expected[near], atol=2e-3)
    np.testing.assert_array_equal(xy[~near], cells[~near])  # a step of more than the blur has seen is refused
    np.testing.assert_array_equal(score, maps.max((2, 3)))


def test_dark_agrees_with_transformers_once_its_sigma_is_the_official_one(monkeypatch):
    from transformers.models.vitpose import image_processing_vitpose as vitpose

    unlike_official = vitpose.gaussian_filter
    monkeypatch.setattr(
        vitpose,
        "gaussian_filter",
        lambda image, sigma, **rest: unlike_official(image, sigma=2.0, mode="mirror", **rest),
    )
    maps = messy_maps(20, seed=2)
    cells, scores = vitpose.get_keypoint_predictions(maps)
    expected = vitpose.post_dark_unbiased_data_processing(cells.copy(), maps.copy(), kernel=11)
    xy, score = (t.numpy() for t in dark_decode(torch.from_numpy(maps)))
    near = np.abs(expected - cells).max(-1) <= 5
    assert near.mean() > 0.98
    np.testing.assert_allclose(xy[near], expected[near], atol=2e-3)
    np.testing.assert_allclose(score, scores[..., 0])


def test_dark_is_the_official_decoder_on_a_real_teachers_maps(shared_data):
    maps = teacher_maps(shared_data, range(0, 700, 70))
    expected = official_dark(maps)
    xy, _ = dark_decode(torch.from_numpy(maps))
    error = np.abs(xy.numpy() - expected).max(-1)
    assert np.quantile(error, 0.99) < 1e-3
    assert (error[maps.max((2, 3)) > 0.2] < 0.01).all()


def teacher_maps(shared_data, rows) -> NDArray[np.float32]:
    """TinyPose's maps (B, 17, 64, 48) of rows of the real photos."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(shared_data / "teachers" / "tinypose_256x192.onnx", options)
    persons = read_coco(shared_data / "coco" / "person_keypoints_train.json").take(np.array(rows))
    matrices = crop_to_image(persons.box, "stride")
    photos = (read_image(shared_data / "coco" / "train" / name) for name in persons.file_name)
    crops = np.stack([cut(photo, matrix, (256, 192)) for photo, matrix in zip(photos, matrices, strict=True)])
    pixels = (crops / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    return session.run(None, {session.get_inputs()[0].name: pixels.transpose(0, 3, 1, 2).astype(np.float32)})[0]


def test_dark_finds_clean_peaks_and_leaves_flat_maps_alone():
    xy = np.random.default_rng(3).uniform(6, [41, 57], (50, 17, 2))
    found, score = dark_decode(torch.from_numpy(gaussians(xy)))
    np.testing.assert_allclose(found.numpy(), xy, atol=0.01)
    assert (score > 0.93).all()
    found, score = dark_decode(torch.zeros(2, 17, *SIZE))
    assert found.isfinite().all()
    assert (score == 0).all()


def test_peaks_are_found_up_to_the_border():
    xy = np.random.default_rng(4).uniform(1, [46, 62], (50, 17, 2))
    np.testing.assert_allclose(find_peaks(torch.from_numpy(gaussians(xy))).numpy(), xy, atol=1e-3)


def test_mirrored_maps_in_the_udp_frame_lie_where_the_joints_are():
    xy = np.random.default_rng(5).uniform(0, [47, 63], (4, 17, 2))
    seen_in_mirror = np.stack([47 - xy[..., 0], xy[..., 1]], axis=-1)[:, MIRROR]
    back = mirror_maps(torch.from_numpy(gaussians(seen_in_mirror)), "udp")
    np.testing.assert_allclose(back.numpy(), gaussians(xy), atol=1e-5)


def test_mirrored_maps_in_the_stride_frame_move_right_as_in_hrnet():
    maps = messy_maps(3, seed=6)
    expected = maps[:, MIRROR, :, ::-1].copy()
    expected[..., 1:] = expected.copy()[..., :-1]  # HRNet's SHIFT_HEATMAP, in its own words
    np.testing.assert_array_equal(mirror_maps(torch.from_numpy(maps), "stride").numpy(), expected)
    with pytest.raises(ValueError, match="unknown frame 'biased'"):
        mirror_maps(torch.from_numpy(maps), "biased")
