"""Every kind of teacher, on small networks written to disk and on a real one."""

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from cache_tools.geometry import apply as apply_matrix
from cache_tools.geometry import cell_to_crop
from cache_tools.skeletons import COCO, Skeleton
from pipeline.teachers.flipped import Flipped
from pipeline.teachers.load import load_network
from student.checkpoint import save_weights
from student.models.student import create_student
from student.normalise import normalise
from tests.samples.coco_joints import MIRROR
from tests.samples.small_run import SMALL, write_run

TINYPOSE = "teachers/tinypose_256x192.onnx"


@pytest.fixture
def crops() -> np.ndarray:
    """Five random crops, smooth enough that a network has something to see."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)
    return noise.repeat(8, axis=1).repeat(8, axis=2)


def average_network(
    path: Path,
    batch: int | str,
    dtype: int = TensorProto.FLOAT,
    channels: int = 17,
    sides: tuple[int | str, int | str] = (64, 48),
) -> Path:
    """Write an ONNX file whose every heatmap is the crop's mean colour, pooled to a quarter."""
    size = [3, *sides] if dtype == TensorProto.FLOAT else [*sides, 3]
    nodes = []
    if dtype == TensorProto.UINT8:
        nodes += [
            helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["floats"], ["pixels"], perm=[0, 3, 1, 2]),
        ]
    nodes += [
        helper.make_node(
            "Conv", ["pixels" if nodes else "crops", "weights"], ["maps"], kernel_shape=[4, 4], strides=[4, 4]
        )
    ]
    weights = np.full((channels, 3, 4, 4), 1 / 48, np.float32)
    graph = helper.make_graph(
        nodes,
        "average",
        [helper.make_tensor_value_info("crops", dtype, [batch, *size])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [batch, channels, "down", "across"])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("batch", [1, 2, "b"])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.UINT8])
def test_onnx_files_of_any_batch_and_input_type(
    tmp_path: Path, crops: np.ndarray, batch: int | str, dtype: int
) -> None:
    teacher = load_network(f"onnx:{average_network(tmp_path / 'average.onnx', batch, dtype)}?frame=stride", "cpu")
    assert (teacher.input_size, teacher.heatmap_size, teacher.frame) == ((64, 48), (16, 12), "stride")
    values = crops.astype(np.float64)
    if dtype == TensorProto.FLOAT:
        values = (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = values.reshape(5, 16, 4, 12, 4, 3).mean(axis=(2, 4, 5))
    maps = teacher(crops)
    assert maps.shape == (5, 17, 16, 12)
    np.testing.assert_allclose(maps, np.repeat(expected[:, None], 17, axis=1), atol=1e-4 * np.abs(expected).max())


def test_errors_of_onnx_files_say_what_to_do(tmp_path: Path) -> None:
    path = average_network(tmp_path / "average.onnx", "b")
    with pytest.raises(ValueError, match=r"\?frame=udp .* \?frame=stride"):
        load_network(f"onnx:{path}")
    with pytest.raises(ValueError, match="unknown fram: expected frame"):
        load_network(f"onnx:{path}?fram=udp")
    with pytest.raises(FileNotFoundError, match="no ONNX file"):
        load_network(f"onnx:{tmp_path / 'none.onnx'}?frame=udp")
    with pytest.raises(ValueError, match="has 16 heatmaps and does not say of which joints"):
        load_network(f"onnx:{average_network(tmp_path / 'wide.onnx', 'b', channels=16)}?frame=udp", "cpu")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not an ONNX file that onnxruntime runs"):
        load_network(f"onnx:{path}?frame=udp")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("", "takes crops of any size: state one"),
        ("&input=64", "input is '64': expected HEIGHTxWIDTH"),
        ("&input=64x48&sigma=wide", "sigma is 'wide': expected heatmap cells, a number above 0"),
        ("&input=64x48&sigma=0", "sigma is '0'"),
    ],
)
def test_options_of_an_onnx_file_are_checked(tmp_path: Path, option: str, message: str) -> None:
    path = average_network(tmp_path / "open.onnx", "b", sides=("height", "width"))
    assert load_network(f"onnx:{path}?frame=udp&input=64x48", "cpu").input_size == (64, 48)
    with pytest.raises(ValueError, match=message):
        load_network(f"onnx:{path}?frame=udp{option}", "cpu")


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "unknown device 'gpu'"), ("cuda:x", "unknown device 'cuda:x'"), ("cuda", "install onnxruntime-gpu")],
)
def test_devices_of_an_onnx_file_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, message: str
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=message):
        load_network(f"onnx:{average_network(tmp_path / 'average.onnx', 'b')}?frame=udp", device)


def test_an_onnx_file_may_state_its_frame_itself(tmp_path: Path) -> None:
    path = average_network(tmp_path / "average.onnx", "b")
    model = onnx.load(path)
    helper.set_model_props(model, {"frame": "stride", "sigma": "1.5"})
    onnx.save(model, path)
    recorded = load_network(f"onnx:{path}", "cpu")
    assert (recorded.frame, recorded.sigma) == ("stride", 1.5)
    stated = load_network(f"onnx:{path}?frame=udp&sigma=3&licence=MIT", "cpu")
    assert (stated.frame, stated.sigma, stated.licence) == ("udp", 3.0, "MIT")
    assert stated.digest != recorded.digest


def test_a_student_is_a_teacher(tmp_path: Path) -> None:
    student = write_run(tmp_path)
    teacher = load_network(f"student:{tmp_path}", "cpu")
    crops = np.random.default_rng(2).integers(0, 256, (3, *SMALL.input_size, 3)).astype(np.uint8)
    with torch.inference_mode():
        expected = student(normalise(torch.from_numpy(crops))).numpy()
    np.testing.assert_allclose(teacher(crops), expected, atol=1e-5)
    assert (teacher.name, teacher.frame, teacher.sigma) == ("small", "udp", SMALL.sigma)
    digest = teacher.digest
    save_weights(tmp_path / "best.safetensors", create_student(SMALL, COCO))
    assert load_network(f"student:{tmp_path}").digest != digest
    with pytest.raises(FileNotFoundError, match="is no run"):
        load_network("student:nowhere")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("vitpose-plus-hug", "did you mean vitpose-plus-huge"),
        ("vitpose-huge", "use vitpose-plus-huge"),
        ("onnx", "unknown teacher 'onnx'"),
        ("no_such_module:make", "no module 'no_such_module'"),
        ("pipeline.teachers:make", "has no 'make'"),
        ("pathlib:Path", "lacks digest, licence"),
        ("non", "did you mean none"),
        ("none?flip=1", "unknown flip: it takes no options"),
        ("oracle?seconds=1", "unknown seconds: expected seconds_per_crop"),
        ("oracle?seconds_per_crop=-1", "'-1': expected a number of 0 or more"),
        ("oracle?seconds_per_crop=nan", "'nan': expected a number"),
        ("oracle?seconds_per_crop=", "'': expected a number"),
    ],
)
def test_unknown_teachers(reference: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_network(reference, "cpu")


def test_the_oracle_draws_by_pixels_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    crops = np.random.default_rng(3).integers(0, 256, (3, 256, 192, 3)).astype(np.uint8)
    crops[2] = crops[0]
    teacher = load_network("oracle")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "teach a student nothing" in caplog.text
    maps = teacher(crops)
    np.testing.assert_array_equal(maps[0], maps[2])
    assert np.abs(maps[0] - maps[1]).max() > 0.5
    peaks = maps.max((2, 3))
    assert ((peaks > 0.13) & (peaks < 0.91)).all()
    start = time.perf_counter()
    np.testing.assert_array_equal(load_network("oracle?seconds_per_crop=0.05")(crops), maps)
    assert time.perf_counter() - start > 0.15


def test_no_teacher_draws_blank_maps() -> None:
    maps = load_network("none")(np.zeros((2, 256, 192, 3), np.uint8))
    assert maps.shape == (2, 17, 64, 48)
    assert not maps.any()


def test_own_teacher_is_found_in_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parents[3] / "docs"
    assert len((docs / "own_teacher.py").read_text().splitlines()) <= 27
    monkeypatch.chdir(docs)
    teacher = load_network("own_teacher:make", "cpu")
    crop = np.zeros((1, 256, 192, 3), np.uint8)
    crop[0, 100, 60] = 255
    maps = teacher(crop)
    assert maps.shape == (1, 17, *teacher.heatmap_size)
    assert maps.dtype == np.float32
    assert np.unravel_index(maps[0, 5].argmax(), (64, 48)) == (25, 15)


class Peaks:
    """A teacher that knows where each joint of a crop is: at the pixel whose red value is 100 + joint."""

    name = digest = licence = "peaks"
    skeleton: Skeleton | None = COCO
    input_size, heatmap_size, sigma = (64, 48), (16, 12), 2.0

    def __init__(self, frame: str) -> None:
        self.frame = frame

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Gaussians at the marked pixels; a mirrored crop shows the mirrored joint, as a network would say."""
        to_crop = cell_to_crop(self.frame, self.input_size, self.heatmap_size)
        cell_xy = apply_matrix(to_crop, np.mgrid[:12, :16].T.reshape(-1, 2)).reshape(16, 12, 2)
        maps = np.zeros((len(crops), 17, 16, 12), np.float32)
        for index, crop in enumerate(crops):
            mirrored = crop[0, 0, 1] == 0
            for joint in range(17):
                y, x = np.argwhere(crop[..., 0] == 100 + joint)[0]
                to = MIRROR[joint] if mirrored else joint
                maps[index, to] = np.exp(-((cell_xy - [x, y]) ** 2).sum(-1) / 128)
        return maps


@pytest.mark.parametrize(("frame", "off"), [("udp", 1e-6), ("stride", 0.125)])
def test_flip_brings_mirrored_maps_back(frame: str, off: float) -> None:
    crop = np.zeros((1, 64, 48, 3), np.uint8)
    crop[0, 0, 0, 1] = 1  # tells the straight crop from its mirror image
    for joint in range(17):
        crop[0, 20 + joint, 12 + joint, 0] = 100 + joint
    teacher = Peaks(frame)
    straight, both = teacher(crop), Flipped(teacher)(crop)
    columns = np.arange(12)
    centre = [(maps * columns).sum((-2, -1)) / maps.sum((-2, -1)) for maps in (straight, both)]
    # in the stride frame one cell is the nearest whole step to three quarters, so the average is an eighth off
    assert np.abs(centre[0] - centre[1]).max() < off + 0.02


def test_tinypose_finds_real_persons(shared_data: Path) -> None:
    from pipeline.evaluation.evaluation import evaluate
    from student.inference import Inference

    teacher = load_network(f"onnx:{shared_data / TINYPOSE}?frame=stride", "cpu")
    coco = shared_data / "coco"
    inference = Inference(flip=False, device="cpu")
    result = evaluate(teacher, coco / "person_keypoints_val.json", coco / "val", inference=inference)
    assert pytest.approx(0.650, abs=0.003) == result.metrics.AP
