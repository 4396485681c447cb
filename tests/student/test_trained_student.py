"""A student loaded from its run's folder: what the README shows."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import student
from cache_tools.images import read_image
from student.checkpoint import save_weights
from student.inference import Inference
from student.pose_network import PoseNetwork
from tests.samples.small_run import SMALL, lively_student, write_run


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    return path


def test_three_lines_give_keypoints(run: Path, photo: Path) -> None:
    pose = student.load_student(run)
    keypoints = pose.predict(photo)
    assert keypoints.shape == (1, 17, 3)
    assert np.isfinite(keypoints).all()
    image = read_image(photo)
    for again in (str(photo), [photo], image, [image]):
        np.testing.assert_array_equal(pose.predict(again), keypoints)
    whole = np.array([[0, 0, 120, 90.0]])
    np.testing.assert_array_equal(pose.predict(photo, whole), keypoints)
    plain = student.predict(pose, photo, whole, Inference(flip=False))
    np.testing.assert_array_equal(pose.predict(photo, whole, flip=False), plain)
    assert not np.array_equal(plain, keypoints)


def test_a_trained_student_is_a_pose_network(run: Path) -> None:
    pose: PoseNetwork = student.load_student(run, device="cpu")
    assert (pose.name, pose.frame, pose.sigma) == ("small", "udp", SMALL.sigma)
    assert (pose.input_size, pose.heatmap_size) == (SMALL.input_size, SMALL.heatmap_size)
    assert pose(np.zeros((2, *SMALL.input_size, 3), np.uint8)).shape == (2, 17, *SMALL.heatmap_size)


def test_best_and_last_weights(run: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"last\.safetensors does not exist: run the same"):
        student.load_student(run, "last")
    other = lively_student()
    with torch.no_grad():
        other.get_parameter("head.heatmaps.bias").add_(1)
    save_weights(run / "last.safetensors", other)
    best, last = student.load_student(run), student.load_student(run, "last")
    assert best.digest != last.digest
    crops = np.zeros((1, *SMALL.input_size, 3), np.uint8)
    np.testing.assert_allclose(last(crops), best(crops) + 1, atol=1e-5)


def test_weights_that_do_not_fit_are_refused_when_they_are_loaded(tmp_path: Path) -> None:
    write_run(tmp_path)
    save_weights(tmp_path / "best.safetensors", lively_student().backbone)
    with pytest.raises(ValueError, match="does not fit the model"):
        student.load_student(tmp_path)


def test_importing_student_imports_no_torch_and_every_name_is_there() -> None:
    code = """
import sys, student
heavy = {"torch", "pydantic", "timm", "zarr"} & sys.modules.keys()
assert not heavy, heavy
import student.prediction, student.training.loop  # modules do not hide the functions
missing = [name for name in student.__all__ if not hasattr(student, name)]
assert not missing, missing
assert callable(student.predict) and callable(student.train)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert student.__version__
