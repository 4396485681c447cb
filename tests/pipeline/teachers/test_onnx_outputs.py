"""Which outputs of an ONNX file are heatmaps, in which layout and precision."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from pipeline.teachers.load import load_network
from student.pose_network import digest_of
from tests.samples.constant_onnx import constant_network, peaks

CROPS = np.zeros((2, 256, 192, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        (("b", 3, 256, 192), TensorProto.FLOAT),
        (("b", 256, 192, 3), TensorProto.FLOAT),
        (("b", 256, 192, 3), TensorProto.UINT8),
        (("b", 3, 256, 192), TensorProto.UINT8),
        ((1, 256, 192, 3), TensorProto.FLOAT16),
        (("b", 3, 256, 192), TensorProto.DOUBLE),
    ],
)
def test_crops_of_any_layout_and_precision(tmp_path: Path, shape: tuple[int | str, ...], dtype: int) -> None:
    path = constant_network(tmp_path / "it.onnx", {"maps": peaks()}, shape=shape, dtype=dtype)
    teacher = load_network(f"onnx:{path}?frame=stride", "cpu")
    assert (teacher.input_size, teacher.heatmap_size) == ((256, 192), (64, 48))
    np.testing.assert_allclose(teacher(CROPS), np.repeat(peaks(), 2, axis=0), atol=1e-6)


@pytest.mark.parametrize("precision", [np.float16, np.float64])
@pytest.mark.parametrize("joints_last", [False, True])
def test_heatmaps_of_any_layout_and_precision(tmp_path: Path, joints_last: bool, precision: type) -> None:
    maps: np.ndarray = (peaks().transpose(0, 2, 3, 1) if joints_last else peaks()).astype(precision)
    teacher = load_network(f"onnx:{constant_network(tmp_path / 'it.onnx', {'maps': maps})}?frame=stride", "cpu")
    found = teacher(CROPS)
    assert (found.dtype, found.shape) == (np.float32, (2, 17, 64, 48))
    np.testing.assert_allclose(found, np.repeat(peaks(), 2, axis=0), atol=1e-3)


def test_colours_see_the_same_in_every_layout(tmp_path: Path) -> None:
    # the mean over the crop is added with a factor, so the output shows what the network was given
    crops = np.random.default_rng(0).integers(0, 256, (1, 256, 192, 3)).astype(np.uint8)
    seen = []
    for shape in (("b", 3, 256, 192), ("b", 256, 192, 3)):
        path = constant_network(tmp_path / "it.onnx", {"maps": peaks()}, shape=shape, gain=1.0)
        seen.append(load_network(f"onnx:{path}?frame=stride", "cpu")(crops))
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-5)
    mean = ((crops / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).mean()
    np.testing.assert_allclose(seen[0] - peaks(), mean, atol=1e-4)


def test_the_heatmaps_are_found_among_other_outputs(tmp_path: Path) -> None:
    outputs = {
        "features": np.zeros((1, 32, 64, 48), np.float32),
        "maps": peaks(),
        "keypoints": np.zeros((1, 17, 2), np.float32),
    }
    path = constant_network(tmp_path / "it.onnx", outputs)
    teacher = load_network(f"onnx:{path}?frame=stride", "cpu")
    np.testing.assert_allclose(teacher(CROPS), np.repeat(peaks(), 2, axis=0), atol=1e-6)
    assert load_network(f"onnx:{path}?frame=stride&output=maps", "cpu").digest == teacher.digest


def test_another_output_than_the_first_is_another_digest(tmp_path: Path) -> None:
    # version 0.1 took the first output, whatever it was: its stores must not be continued
    outputs = {"features": np.zeros((1, 32, 64, 48), np.float32), "maps": peaks()}
    path = constant_network(tmp_path / "it.onnx", outputs)
    as_before = digest_of(path, "ImageNet mean and std", "stride")
    assert load_network(f"onnx:{path}?frame=stride", "cpu").digest != as_before
    constant_network(path, {"maps": peaks()})
    as_before = digest_of(path, "ImageNet mean and std", "stride")
    assert load_network(f"onnx:{path}?frame=stride", "cpu").digest == as_before


def test_outputs_that_may_be_either_are_refused_by_name(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "it.onnx", {"stage1": peaks(), "stage2": peaks(height=0.5)})
    with pytest.raises(ValueError, match=r"stage1 .*stage2 .*State one with \?output=stage1 or \?output=stage2"):
        load_network(f"onnx:{path}?frame=stride", "cpu")
    first, second = (load_network(f"onnx:{path}?frame=stride&output=stage{i}", "cpu") for i in (1, 2))
    assert first(CROPS).max() == pytest.approx(0.9, abs=0.03)
    assert second(CROPS).max() == pytest.approx(0.5, abs=0.03)
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        ({"xy": (1, 17, 2)}, "", r"none of its outputs is heatmaps .*xy \('b', 17, 2\).* without its decoder"),
        ({"maps": (1, 17, 64, 48)}, "&output=map", r"no output 'map': its outputs are maps"),
        ({"maps": (1, 17, 64, 48), "xy": (1, 17, 2)}, "&output=xy", r"output=xy has shape .*expected heatmaps"),
        ({"maps": (1, 17, 64, 48)}, "&output=simcc", r"output=simcc: expected two outputs .* 192 pixels .* 256"),
        ({"maps": (1, 17, 64, 48)}, "&input=128x96", "input is 128x96, but the graph takes only 256x192"),
    ],
)
def test_outputs_that_do_not_fit_are_listed(
    tmp_path: Path, outputs: dict[str, tuple[int, ...]], options: str, message: str
) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}
    path = constant_network(tmp_path / "it.onnx", arrays)
    with pytest.raises(ValueError, match=message):
        load_network(f"onnx:{path}?frame=stride{options}", "cpu")


def test_a_size_against_the_one_side_that_the_graph_fixes_is_refused(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "it.onnx", {"maps": peaks()}, shape=("b", 3, 256, "w"))
    with pytest.raises(ValueError, match="input is 192x256, but the graph takes only 256xw"):
        load_network(f"onnx:{path}?frame=stride&input=192x256", "cpu")
    assert load_network(f"onnx:{path}?frame=stride&input=256x192", "cpu").input_size == (256, 192)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        (("b", 1, 256, 192), TensorProto.FLOAT, "expected three colours"),
        (("b", 3, 256, 192), TensorProto.INT64, "expected one input of crops"),
    ],
)
def test_inputs_that_are_no_crops_are_refused(
    tmp_path: Path, shape: tuple[int | str, ...], dtype: int, message: str
) -> None:
    path = constant_network(tmp_path / "it.onnx", {"maps": peaks()}, shape=shape, dtype=dtype)
    with pytest.raises(ValueError, match=message):
        load_network(f"onnx:{path}?frame=stride", "cpu")
