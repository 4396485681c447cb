"""ONNX files as teachers: any batch and input type, stated frames, refused options, a real one on real photos."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.teachers.load import load_network

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
        ("&input=0x0", "input is '0x0': expected HEIGHTxWIDTH"),
        ("&input=64x48&frame=stride", "frame is there more than once"),
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
