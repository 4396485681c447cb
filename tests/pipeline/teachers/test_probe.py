"""What one batch shows of a teacher: its range is refused with the option that changes it, and the option does."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cache_tools.skeletons import Skeleton
from pipeline.teachers.blank import BlankTeacher
from pipeline.teachers.flipped import Flipped
from pipeline.teachers.load import load_network
from pipeline.teachers.oracle import OracleTeacher
from pipeline.teachers.probe import Probed, probe_network, probed_network, rows_to_probe
from pipeline.teachers.translated import translated
from student.prediction import predict_maps
from student.torch_network import OnDevice
from tests.samples.constant_onnx import constant_network, peaks
from tests.samples.gaussian_maps import gaussian_maps

CROPS = np.random.default_rng(0).integers(0, 256, (4, 256, 192, 3)).astype(np.uint8)
LOGITS = np.log(np.clip(peaks(), 1e-4, 1 - 1e-4) / (1 - np.clip(peaks(), 1e-4, 1 - 1e-4)))
SHARES = peaks() / peaks().sum(axis=(2, 3), keepdims=True)


def reference(path: Path, maps: np.ndarray, options: str = "") -> str:
    return f"onnx:{constant_network(path / 'pose.onnx', {'maps': maps.astype(np.float32)})}?frame=stride{options}"


def test_a_probe_is_one_line(tmp_path: Path) -> None:
    text = probe_network(load_network(reference(tmp_path, peaks()), "cpu"), CROPS).text()
    assert text.startswith(
        "pose: crops 256x192 float32 (B, 3, H, W), output maps (B, K, h, w), 17 heatmaps 64x48 (stride)"
    )
    assert "values 0 to 0.9 on 4 persons, median peak 0.8" in text
    assert "\n" not in text
    flipped = translated(Flipped(OracleTeacher()), Skeleton(names=("left_knee", "toe"), name="leg"))
    assert probe_network(flipped, CROPS).text().startswith("gaussian-oracle: crops 256x192, 2 heatmaps 64x48 (udp)")


@pytest.mark.parametrize(
    ("maps", "message", "options"),
    [
        (255 * peaks(), r"from 0 to 229.*State \?scale=1/255", "&scale=1/255"),
        (255 * peaks(), "229", "&scale=0.00392"),
        (7 * peaks(), r"State \?scale=1/6\.\d", "&scale=1/6.3"),
        (LOGITS, r"from -9\.\d+ to .*logits: state \?activation=sigmoid", "&activation=sigmoid"),
        (np.log(SHARES + 1e-6), r"or \?activation=softmax", "&activation=softmax"),
        (
            SHARES,
            r"each heatmap sums to 1, .*\?scale=gaussian,.*as high as these peaks has 2(\.\d)?$",
            "&scale=gaussian",
        ),
        (0.01 * peaks(), r"no student learns from values below 0\.05.*\?scale=FACTOR", "&scale=100"),
    ],
)
def test_a_range_that_does_not_fit_is_refused_and_its_fix_works(
    tmp_path: Path, maps: np.ndarray, message: str, options: str
) -> None:
    with pytest.raises(ValueError, match=message):
        probe_network(load_network(reference(tmp_path, maps), "cpu"), CROPS)
    fixed = probe_network(load_network(reference(tmp_path, maps, options), "cpu"), CROPS)
    assert np.abs(fixed.maps - peaks()).max() < 0.15


def test_the_noise_and_the_overshoots_of_regressions_pass(shared_data: Path, tmp_path: Path) -> None:
    noisy = 1.3 * peaks() - 0.2
    probe_network(load_network(reference(tmp_path, noisy), "cpu"), CROPS)
    # PP-TinyPose on real persons: -.05 to 1.19 on all of them
    from cache_tools.annotations.annotation_file import read_coco
    from cache_tools.geometry import crop_to_image
    from student.prediction import read_crops

    coco = shared_data / "coco"
    persons = read_coco(coco / "person_keypoints_val.json")
    persons = persons.take(rows_to_probe(len(persons)))
    teacher = load_network(f"onnx:{shared_data / 'teachers/tinypose_256x192.onnx'}?frame=stride", "cpu")
    to_image = crop_to_image(persons.box, teacher.frame, teacher.input_size)
    photos = [coco / "val" / name for name in persons.file_name]
    crops = np.stack(list(read_crops(photos, to_image, teacher.input_size)))
    probe = probe_network(teacher, crops)
    assert len(crops) == 8
    assert -0.1 < probe.least < 0
    assert 0.9 < probe.greatest < 1.2


def test_joints_that_a_teacher_does_not_know_hide_no_probabilities(tmp_path: Path) -> None:
    legs = Skeleton(names=("left_knee", "toe"), name="leg")
    network = load_network(reference(tmp_path, SHARES, "&skeleton=coco"), "cpu")
    with pytest.raises(ValueError, match="sums to 1"):
        probe_network(translated(network, legs), CROPS)


def test_narrow_peaks_that_happen_to_sum_to_one_are_heatmaps(tmp_path: Path) -> None:
    narrow = gaussian_maps(np.full((1, 17, 2), 20.0), (64, 48), 0.4)
    probe_network(load_network(reference(tmp_path, narrow), "cpu"), CROPS)


def test_blank_maps_are_what_no_teacher_gives() -> None:
    assert probe_network(BlankTeacher(), CROPS).greatest == 0


def test_a_network_is_probed_by_its_first_batch_only(tmp_path: Path) -> None:
    class Growing(OracleTeacher):
        passes = 0

        def __call__(self, crops: np.ndarray) -> np.ndarray:
            self.passes += 1
            return super().__call__(crops) * self.passes

    network = Probed(Growing())
    for _ in range(3):
        maps = network(CROPS)
    assert maps.max() > 2
    with pytest.raises(ValueError, match=r"\?scale=1/255"):
        Probed(load_network(reference(tmp_path, 255 * peaks()), "cpu"))(CROPS)
    # a student after one epoch has low peaks, and is evaluated
    Probed(load_network(reference(tmp_path, 0.01 * peaks()), "cpu"))(CROPS)
    nan = peaks() * np.nan
    with pytest.raises(ValueError, match="pose returns NaN or infinity for 4 of 4 crops"):
        Probed(load_network(reference(tmp_path, nan), "cpu"))(CROPS)


def test_heatmaps_of_a_probed_network_stay_on_its_device() -> None:
    class OnlyOnDevice(OracleTeacher):
        device, factor, copies = torch.device("cpu"), 1, 0

        def __call__(self, crops: np.ndarray) -> np.ndarray:
            self.copies += 1
            return super().__call__(crops) * self.factor

        def maps_on_device(self, crops: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(super().__call__(crops.numpy()))

    network = OnlyOnDevice()
    found = probed_network(network)
    assert isinstance(found, OnDevice)
    assert not isinstance(probed_network(OracleTeacher()), OnDevice)
    for _ in range(3):
        assert torch.equal(predict_maps(found, CROPS), predict_maps(network, CROPS))
    assert network.copies == 1
    network.factor = 255
    with pytest.raises(ValueError, match=r"\?scale=1/"):
        predict_maps(probed_network(network), CROPS)
    assert isinstance(load_network("student:demo", "cpu", probed=True), OnDevice)


@pytest.mark.parametrize(
    ("persons", "expected"), [(1, [0]), (3, [0, 1, 2]), (700, [0, 100, 200, 300, 399, 499, 599, 699])]
)
def test_persons_to_probe_are_spread_over_the_table(persons: int, expected: list[int]) -> None:
    assert rows_to_probe(persons).tolist() == expected
