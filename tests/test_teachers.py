"""Every kind of teacher, on small networks written to disk and on a real one."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from small_run import SMALL, write_run
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

from cache_tools.coco import MIRROR
from cache_tools.geometry import apply as apply_matrix
from cache_tools.geometry import cell_to_crop, compose, crop_to_image
from cache_tools.images import cut
from pipeline.teachers import Flipped, load_teacher
from pipeline.teachers.vitpose import Heatmaps, fold, plus_network
from student.checkpoint import save_weights
from student.flops import count_costs
from student.model import create_student
from student.pixels import normalise

TINYPOSE = "teachers/tinypose_256x192.onnx"


def tiny_vitpose(experts: int = 6, keypoints: int = 17) -> VitPoseForPoseEstimation:
    """ViTPose+ in small, with random weights that let every path matter."""
    torch.manual_seed(experts)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], hidden_size=64, num_hidden_layers=2, num_attention_heads=2, num_experts=experts,
        part_features=16, out_indices=[2],
    )  # fmt: skip
    config = VitPoseConfig(backbone_config=backbone, num_labels=keypoints, use_simple_decoder=False)
    model = VitPoseForPoseEstimation(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture
def vitpose_folder(tmp_path: Path) -> Path:
    """A ViTPose+ folder as `huggingface-cli download` leaves it."""
    tiny_vitpose().save_pretrained(tmp_path / "vitpose")
    return tmp_path / "vitpose"


@pytest.fixture
def crops() -> np.ndarray:
    """Five random crops, smooth enough that a network has something to see."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)
    return noise.repeat(8, axis=1).repeat(8, axis=2)


def test_folding_the_experts_changes_nothing() -> None:
    model = tiny_vitpose()
    pixels = torch.randn(3, 3, 64, 48)
    with torch.inference_mode():
        mixture = Heatmaps(model)(pixels)
        dense = Heatmaps(fold(model))(pixels)
    assert mixture.abs().max() > 0.1
    assert (mixture - dense).abs().max() == 0.0


def test_vitpose_from_a_folder_is_transformers_own(vitpose_folder: Path, crops: np.ndarray) -> None:
    teacher = load_teacher(f"vitpose:{vitpose_folder}", device="cpu")
    assert (teacher.input_size, teacher.heatmap_size, teacher.frame) == ((64, 48), (16, 12), "udp")
    processor = VitPoseImageProcessor(size={"height": 64, "width": 48}, do_affine_transform=False)
    pixels = processor(list(crops), boxes=[[[0, 0, 1, 1]]] * len(crops), return_tensors="pt")["pixel_values"]
    model = VitPoseForPoseEstimation.from_pretrained(vitpose_folder).eval()
    with torch.inference_mode():
        expected = model(pixels, dataset_index=torch.zeros(len(crops), dtype=torch.long)).heatmaps.numpy()
    maps = teacher(crops)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=2e-4 * np.abs(expected).max())


def test_crops_and_keypoints_lie_where_vitpose_has_them() -> None:
    generator = np.random.default_rng(1)
    image = np.kron(generator.integers(0, 256, (30, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    boxes = np.array([[60.3, 40.7, 90.2, 150.9], [-10.0, 20.0, 120.0, 60.0]])
    processor = VitPoseImageProcessor()
    expected = processor(image, boxes=[boxes.tolist()], do_rescale=False, do_normalize=False, return_tensors="np")[
        "pixel_values"
    ]
    to_image = crop_to_image(boxes, "udp", (256, 192))
    ours = np.stack([cut(image, matrix, (256, 192)) for matrix in to_image]).transpose(0, 3, 1, 2)
    # OpenCV rounds the sampling position to 1/32 pixel and transformers' rounds colours down
    assert np.abs(ours - expected.astype(float)).mean() < 1.0
    maps = np.zeros((2, 17, 64, 48), np.float32)
    cells = generator.uniform(8, 40, (2, 17, 2))
    yy, xx = np.mgrid[:64, :48]
    for person, joint in np.ndindex(2, 17):
        x, y = cells[person, joint]
        maps[person, joint] = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 8)
    outputs = type("Outputs", (), {"heatmaps": torch.from_numpy(maps)})
    found = processor.post_process_pose_estimation(outputs, [boxes.tolist()])[0]
    cell_to_image = compose(cell_to_crop("udp"), to_image)
    theirs = np.stack([person["keypoints"].numpy() for person in found])
    np.testing.assert_allclose(apply_matrix(cell_to_image, cells), theirs, atol=0.05)


@pytest.mark.parametrize(
    ("size", "parameters", "gflops"),
    [("small", 33.1, 13.9), ("base", 125.4, 49.3), ("large", 434.4, 168.0), ("huge", 899.4, 346.5)],
)
def test_the_papers_teachers_cost_what_table_1_says(size: str, parameters: float, gflops: float) -> None:
    costs = count_costs(plus_network(size), (256, 192))
    assert costs.params / 1e6 == pytest.approx(parameters, abs=0.05)
    assert costs.gflops == pytest.approx(gflops, abs=0.05)


def test_a_digest_follows_the_weights(vitpose_folder: Path, tmp_path: Path) -> None:
    digest = load_teacher(f"vitpose:{vitpose_folder}").digest
    copy = tmp_path / "copy"
    shutil.copytree(vitpose_folder, copy)
    assert load_teacher(f"vitpose:{copy}").digest == digest
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert load_teacher(f"vitpose:{copy}").digest != digest


def test_weights_that_do_not_fill_the_network_are_refused(vitpose_folder: Path, crops: np.ndarray) -> None:
    tiny_vitpose(experts=1).save_pretrained(vitpose_folder.parent / "other")
    shutil.copy(vitpose_folder.parent / "other" / "model.safetensors", vitpose_folder / "model.safetensors")
    with pytest.raises(ValueError, match="do not fit its config"):
        load_teacher(f"vitpose:{vitpose_folder}", "cpu")(crops)


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    tiny_vitpose(keypoints=14).save_pretrained(tmp_path / "crowdpose")
    with pytest.raises(ValueError, match="14 outputs: expected a 'vitpose' with COCO's 17"):
        load_teacher(f"vitpose:{tmp_path / 'crowdpose'}")
    with pytest.raises(FileNotFoundError, match=r"no config\.json.*huggingface-cli download"):
        load_teacher(f"vitpose:{tmp_path}")


def test_weights_that_cannot_be_downloaded_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match="huggingface-cli download usyd-community/vitpose-plus-huge"):
        load_teacher("vitpose-plus-huge")


def average_network(path: Path, batch: int | str, dtype: int = TensorProto.FLOAT, channels: int = 17) -> Path:
    """An ONNX file whose every heatmap is the crop's mean colour, pooled to a quarter."""
    size = [3, 64, 48] if dtype == TensorProto.FLOAT else [64, 48, 3]
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
    teacher = load_teacher(f"onnx:{average_network(tmp_path / 'average.onnx', batch, dtype)}?frame=stride", "cpu")
    assert (teacher.input_size, teacher.heatmap_size, teacher.frame) == ((64, 48), (16, 12), "stride")
    values = crops.astype(np.float64)
    if dtype == TensorProto.FLOAT:
        values = (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = values.reshape(5, 16, 4, 12, 4, 3).mean(axis=(2, 4, 5))
    maps = teacher(crops)
    assert maps.shape == (5, 17, 16, 12)
    np.testing.assert_allclose(maps, np.repeat(expected[:, None], 17, axis=1), atol=1e-4 * np.abs(expected).max())


def test_onnx_mistakes_say_what_to_do(tmp_path: Path) -> None:
    path = average_network(tmp_path / "average.onnx", "b")
    with pytest.raises(ValueError, match=r"\?frame=udp .* \?frame=stride"):
        load_teacher(f"onnx:{path}")
    with pytest.raises(ValueError, match="unknown fram: expected frame"):
        load_teacher(f"onnx:{path}?fram=udp")
    with pytest.raises(FileNotFoundError, match="no ONNX file"):
        load_teacher(f"onnx:{tmp_path / 'none.onnx'}?frame=udp")
    with pytest.raises(ValueError, match="expected heatmaps"):
        load_teacher(f"onnx:{average_network(tmp_path / 'wide.onnx', 'b', channels=16)}?frame=udp", "cpu")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not an ONNX file that onnxruntime runs"):
        load_teacher(f"onnx:{path}?frame=udp")


def test_an_onnx_file_may_tell_its_frame_itself(tmp_path: Path) -> None:
    path = average_network(tmp_path / "average.onnx", "b")
    model = onnx.load(path)
    helper.set_model_props(model, {"frame": "stride", "sigma": "1.5"})
    onnx.save(model, path)
    told = load_teacher(f"onnx:{path}", "cpu")
    assert (told.frame, told.sigma) == ("stride", 1.5)
    stated = load_teacher(f"onnx:{path}?frame=udp&sigma=3&licence=MIT", "cpu")
    assert (stated.frame, stated.sigma, stated.licence) == ("udp", 3.0, "MIT")
    assert stated.digest != told.digest


def test_a_student_is_a_teacher(tmp_path: Path) -> None:
    student = write_run(tmp_path)
    teacher = load_teacher(f"student:{tmp_path}", "cpu")
    crops = np.random.default_rng(2).integers(0, 256, (3, *SMALL.input_size, 3)).astype(np.uint8)
    with torch.inference_mode():
        expected = student(normalise(torch.from_numpy(crops))).numpy()
    np.testing.assert_allclose(teacher(crops), expected, atol=1e-5)
    assert (teacher.name, teacher.frame, teacher.sigma) == ("small", "udp", SMALL.sigma)
    digest = teacher.digest
    save_weights(tmp_path / "best.safetensors", create_student(SMALL))
    assert load_teacher(f"student:{tmp_path}").digest != digest
    with pytest.raises(FileNotFoundError, match="is no run"):
        load_teacher("student:nowhere")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("vitpose-plus-hug", "did you mean vitpose-plus-huge"),
        ("vitpose-huge", "use vitpose-plus-huge"),
        ("onnx", "unknown teacher 'onnx'"),
        ("no_such_module:make", "no module 'no_such_module'"),
        ("pipeline.teachers:make", "has no 'make'"),
        ("pathlib:Path", "lacks digest, licence"),
    ],
)
def test_unknown_teachers(reference: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_teacher(reference, "cpu")


def test_own_teacher_is_found_in_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parents[1] / "docs"
    assert len((docs / "own_teacher.py").read_text().splitlines()) <= 26
    monkeypatch.chdir(docs)
    teacher = load_teacher("own_teacher:make", "cpu")
    crop = np.zeros((1, 256, 192, 3), np.uint8)
    crop[0, 100, 60] = 255
    maps = teacher(crop)
    assert maps.shape == (1, 17, *teacher.heatmap_size)
    assert maps.dtype == np.float32
    assert np.unravel_index(maps[0, 5].argmax(), (64, 48)) == (25, 15)


class Peaks:
    """A teacher that knows where each joint of a crop is: at the pixel whose red value is 100 + joint."""

    name = digest = licence = "peaks"
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
    from pipeline.evaluate import evaluate

    teacher = load_teacher(f"onnx:{shared_data / TINYPOSE}?frame=stride", "cpu")
    coco = shared_data / "coco"
    verdict = evaluate(teacher, coco / "person_keypoints_val.json", coco / "val", device="cpu")
    assert verdict.metrics["AP"] == pytest.approx(0.650, abs=0.003)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_vitpose_in_bfloat16_is_near_float32(vitpose_folder: Path, crops: np.ndarray) -> None:
    exact = load_teacher(f"vitpose:{vitpose_folder}", "cpu")(crops)
    fast = load_teacher(f"vitpose:{vitpose_folder}", "cuda")(crops)
    assert np.abs(exact - fast).max() < 0.05 * np.abs(exact).max()
