"""SimCC vectors as heatmaps: each peak where the vectors are highest, as high as MMPose's score."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cache_tools.geometry import apply, cell_to_crop, invert
from cache_tools.skeletons import load_skeleton
from pipeline.teachers.load import load_network
from pipeline.teachers.probe import probe_network
from pipeline.teachers.simcc import SimccHeatmaps
from pipeline.teachers.values import Values
from student.heatmaps.decode import dark_decode
from tests.samples.constant_onnx import constant_network
from tests.samples.gaussian_maps import gaussian_maps

INPUT = (256, 192)
PLAIN = Values()


def vectors(xy: np.ndarray, height: np.ndarray, size: tuple[int, int] = INPUT) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors over height and width (B, K, bins) as MMPose labels points (B, K, 2), in crop pixels.

    mmpose/codecs/simcc_label.py: Gaussians at the rounded bin, of sigma (4.9, 5.66) at 192x256, two bins a pixel.
    """
    found = []
    for axis, side in ((1, size[0]), (0, size[1])):
        bins = np.arange(2 * side)
        at = np.round(2 * xy[..., axis, None])
        found.append((height[..., None] * np.exp(-((bins - at) ** 2) / (2 * side / 8))).astype(np.float32))
    return found[0], found[1]


def mmpose_keypoints(down: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (B, K, 2) and scores (B, K) of mmpose/codecs/utils/post_processing.py: get_simcc_maximum."""
    xy = np.stack([across.argmax(-1), down.argmax(-1)], -1) / 2
    return xy, np.minimum(across.max(-1), down.max(-1))


def decoded(maps: np.ndarray, frame: str, size: tuple[int, int] = INPUT) -> tuple[np.ndarray, np.ndarray]:
    """Return points in crop pixels and scores of heatmaps."""
    xy, score = dark_decode(torch.from_numpy(maps))
    return apply(cell_to_crop(frame, size, maps.shape[2:]), xy.numpy()), score.numpy()


def people(persons: int = 20, joints: int = 17, size: tuple[int, int] = INPUT) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    xy = rng.uniform(0.15, 0.85, (persons, joints, 2)) * size[::-1]
    return xy, rng.uniform(0.2, 1.0, (persons, joints))


@pytest.mark.parametrize("frame", ["stride", "udp"])
@pytest.mark.parametrize("size", [(256, 192), (384, 288), (256, 256)])
def test_the_peak_is_where_the_vectors_are_highest_and_as_high(frame: str, size: tuple[int, int]) -> None:
    xy, height = people(size=size)
    down, across = vectors(xy, height, size)
    heatmaps = SimccHeatmaps(
        bins=(down.shape[-1], across.shape[-1]), input_size=size, frame=frame, sigma=2.0, values=PLAIN
    )
    maps = heatmaps.maps(down, across)
    assert maps.shape == (20, 17, size[0] // 4, size[1] // 4)
    expected_xy, expected_score = mmpose_keypoints(down, across)
    found_xy, score = decoded(maps, frame, size)
    # pixels; a bin is half a pixel
    assert np.abs(found_xy - expected_xy).max() < 0.01
    # DARK takes the value of the highest cell, at most half a cell from the peak on each side; the maximum of a blurred
    # vector is looked for at whole pixels
    assert (score <= 1.003 * expected_score).all()
    assert (score > 0.93 * expected_score).all()


@pytest.mark.parametrize("frame", ["stride", "udp"])
def test_at_the_border_it_is_no_worse_than_a_gaussian_heatmap(frame: str) -> None:
    xy = np.array([[[x, y] for x in (8.0, 100.0, 180.0) for y in (8.0, 100.0, 244.0)]])
    vectors_of_xy = vectors(xy, np.ones((1, 9)))
    heatmaps = SimccHeatmaps(bins=(512, 384), input_size=INPUT, frame=frame, sigma=2.0, values=PLAIN)
    cells = apply(invert(cell_to_crop(frame, INPUT, (64, 48))), xy)
    drawn = gaussian_maps(cells, (64, 48), 2.0)
    found, expected = (decoded(maps, frame)[0] for maps in (heatmaps.maps(*vectors_of_xy), drawn))
    assert np.abs(found - expected).max() < 0.3


def test_heatmaps_are_as_wide_as_those_of_other_teachers() -> None:
    xy, height = np.array([[[96.0, 128.0]]]), np.array([[1.0]])
    heatmaps = SimccHeatmaps(bins=(512, 384), input_size=INPUT, frame="stride", sigma=2.0, values=PLAIN)
    maps = heatmaps.maps(*vectors(xy, height))[0, 0]
    y, x = np.mgrid[:64, :48]
    expected = np.exp(-((y - 32) ** 2 + (x - 24) ** 2) / 8)
    assert np.abs(maps - expected).max() < 0.01


def test_noise_below_zero_makes_no_peak() -> None:
    xy, height = people()
    down, across = vectors(xy, height)
    rng = np.random.default_rng(2)
    noisy = [part - 0.1 + rng.normal(0, 0.03, part.shape) for part in (down, across)]
    heatmaps = SimccHeatmaps(bins=(512, 384), input_size=INPUT, frame="stride", sigma=2.0, values=PLAIN)
    found_xy, _ = decoded(heatmaps.maps(*noisy), "stride")
    distance = np.linalg.norm(found_xy - mmpose_keypoints(*noisy)[0], axis=-1)
    assert np.median(distance) < 1.5
    assert heatmaps.maps(-np.ones((1, 17, 512)), -np.ones((1, 17, 384))).max() == 0


def test_probabilities_of_vectors_stay_below_one() -> None:
    xy, height = people()
    # as a network with RTMPose's loss (beta 10) and any offset: ten times the values are logits
    logits = [8 * part + 3 for part in vectors(xy, height)]
    values = Values.of("it", {"activation": "softmax", "beta": "10"})
    heatmaps = SimccHeatmaps(bins=(512, 384), input_size=INPUT, frame="stride", sigma=2.0, values=values)
    maps = heatmaps.maps(*logits)
    assert 0.5 < maps.max() < 1.1
    assert np.abs(decoded(maps, "stride")[0] - mmpose_keypoints(*logits)[0]).max() < 0.3


def test_values_that_are_no_scores_are_refused_with_both_fixes(tmp_path: Path) -> None:
    down, across = vectors(*people(persons=1))
    path = constant_network(tmp_path / "dwpose.onnx", {"simcc_x": 6 * across - 0.5, "simcc_y": 6 * down - 0.5})
    crops = np.zeros((2, *INPUT, 3), np.uint8)
    with pytest.raises(ValueError, match=r"State \?scale=1/5\.\d+, or \?activation=softmax&beta=10"):
        probe_network(load_network(f"onnx:{path}?frame=stride", "cpu"), crops)
    for options in ("&scale=1/5.5", "&activation=softmax&beta=10"):
        probe = probe_network(load_network(f"onnx:{path}?frame=stride{options}", "cpu"), crops)
        assert "SimCC vectors simcc_x and simcc_y, 17 heatmaps 64x48 (stride)" in probe.text()


def network(path: Path, *, size: tuple[int, int] = INPUT, names: tuple[str, str] = ("simcc_x", "simcc_y")) -> Path:
    xy, height = people(persons=1, size=size)
    down, across = vectors(xy, height, size)
    return constant_network(path, {names[0]: across, names[1]: down}, shape=("b", 3, *size))


@pytest.mark.parametrize("option", ["", "&output=simcc"])
@pytest.mark.parametrize("size", [(256, 192), (256, 256)])
def test_a_network_of_vectors_is_recognised(tmp_path: Path, option: str, size: tuple[int, int]) -> None:
    path = network(tmp_path / "rtmpose.onnx", size=size)
    teacher = load_network(f"onnx:{path}?frame=stride{option}", "cpu")
    assert (teacher.input_size, teacher.heatmap_size) == (size, (size[0] // 4, size[1] // 4))
    maps = teacher(np.zeros((3, *size, 3), np.uint8))
    assert maps.shape == (3, 17, size[0] // 4, size[1] // 4)
    xy, height = people(persons=1, size=size)
    expected_xy, _ = mmpose_keypoints(*vectors(xy, height, size))
    assert np.abs(decoded(maps, "stride", size)[0] - expected_xy).max() < 0.01


def test_options_of_vectors_are_part_of_the_digest(tmp_path: Path) -> None:
    path = network(tmp_path / "rtmpose.onnx")
    options = ["", "&output=simcc", "&sigma=3", "&scale=0.5", "&activation=softmax&beta=10", "&activation=softmax"]
    digests = [load_network(f"onnx:{path}?frame=stride{option}", "cpu").digest for option in options]
    assert digests[0] == digests[1]
    assert len(set(digests)) == len(options) - 1
    with pytest.raises(ValueError, match="scale=gaussian is for heatmaps"):
        load_network(f"onnx:{path}?frame=stride&scale=gaussian", "cpu")


def test_vectors_beside_heatmaps_are_refused_with_both_options(tmp_path: Path) -> None:
    down, across = vectors(*people(persons=1))
    outputs = {"maps": np.zeros((1, 17, 64, 48), np.float32), "simcc_x": across, "simcc_y": down}
    path = constant_network(tmp_path / "it.onnx", outputs)
    with pytest.raises(ValueError, match=r"\?output=maps or \?output=simcc"):
        load_network(f"onnx:{path}?frame=stride", "cpu")
    assert load_network(f"onnx:{path}?frame=stride&output=simcc", "cpu").heatmap_size == (64, 48)


def test_vectors_of_three_dimensions_are_told_by_their_names(tmp_path: Path) -> None:
    down, across = vectors(*people(persons=1))
    path = constant_network(tmp_path / "it.onnx", {"simcc_x": across, "simcc_y": down, "simcc_z": across})
    assert load_network(f"onnx:{path}?frame=stride", "cpu").heatmap_size == (64, 48)


def test_other_joints_are_those_that_a_skeleton_names(tmp_path: Path) -> None:
    xy, height = people(persons=1, joints=21)
    down, across = vectors(xy, height)
    path = constant_network(tmp_path / "hand.onnx", {"simcc_x": across, "simcc_y": down})
    with pytest.raises(ValueError, match="has 21 heatmaps and does not say of which joints"):
        load_network(f"onnx:{path}?frame=stride", "cpu")
    assert load_network(f"onnx:{path}?frame=stride&skeleton=hand21", "cpu").skeleton == load_skeleton("hand21")
