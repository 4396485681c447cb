"""ViTPose as a teacher: folded experts, transformers' own geometry, Table 1's costs, weights that must fit."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

from cache_tools.geometry import apply as apply_matrix
from cache_tools.geometry import cell_to_crop, compose, crop_to_image
from cache_tools.images import cut
from pipeline.costs.network import SpeedSettings, teacher_cost
from pipeline.teachers.load import load_network
from pipeline.teachers.vitpose import Heatmaps, VitPoseTeacher, fold, plus_network
from student.models.flops import count_costs
from student.pose_network import digest_of


def tiny_vitpose(experts: int = 6, keypoints: int = 17) -> VitPoseForPoseEstimation:
    """ViTPose+ in small, with random weights that let every path matter."""
    torch.manual_seed(experts)
    # as dicts, because the configurations' types leave out what they pass on
    backbone: dict[str, Any] = {
        "image_size": [64, 48], "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_experts": experts, "part_features": 16, "out_indices": [2],
    }  # fmt: skip
    network: dict[str, Any] = {"num_labels": keypoints, "use_simple_decoder": False}
    config = VitPoseConfig(backbone_config=VitPoseBackboneConfig(**backbone), **network)
    model = VitPoseForPoseEstimation(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture
def vitpose_folder(tmp_path: Path) -> Path:
    """Write a ViTPose+ folder as `hf download` leaves it."""
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
    teacher = load_network(f"vitpose:{vitpose_folder}", device="cpu")
    assert (teacher.input_size, teacher.heatmap_size, teacher.frame) == ((64, 48), (16, 12), "udp")
    speed_settings = SpeedSettings(device="cpu", batch_size=1, seconds=0.01)
    assert teacher_cost(teacher, "vitpose:folder", speed_settings).protocol.folded  # so that the table says it
    processor: Any = VitPoseImageProcessor(size={"height": 64, "width": 48}, do_affine_transform=False)
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
    processor: Any = VitPoseImageProcessor()
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
    digest = load_network(f"vitpose:{vitpose_folder}").digest
    copy = tmp_path / "copy"
    shutil.copytree(vitpose_folder, copy)
    assert load_network(f"vitpose:{copy}").digest == digest
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert load_network(f"vitpose:{copy}").digest != digest


def test_weights_that_do_not_fill_the_network_are_refused(vitpose_folder: Path, crops: np.ndarray) -> None:
    tiny_vitpose(experts=1).save_pretrained(vitpose_folder.parent / "other")
    shutil.copy(vitpose_folder.parent / "other" / "model.safetensors", vitpose_folder / "model.safetensors")
    with pytest.raises(ValueError, match="do not fit its config"):
        load_network(f"vitpose:{vitpose_folder}", "cpu")(crops)


def test_compiled_by_its_reference_it_says_the_same_and_is_compiled_once(
    vitpose_folder: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = torch.nn.Module.compile
    # without a code generator, which takes a minute and a C++ compiler: graphs are captured and guarded all the same
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda module, **options: compiled(module, backend="eager", **options)
    )
    teacher = load_network(f"vitpose:{vitpose_folder}?compile=1&licence=MIT", "cpu")
    plain = load_network(f"vitpose:{vitpose_folder}", "cpu")
    assert (teacher.licence, plain.licence, teacher.name) == ("MIT", "unstated", plain.name)
    assert teacher.digest == plain.digest
    expected, whole = plain(crops), teacher(crops)
    with torch._dynamo.config.patch(error_on_recompile=True):
        ragged = teacher(crops[:3])
    np.testing.assert_allclose(whole, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(ragged, whole[:3])


def test_a_compiled_teacher_has_a_graph_of_one_batch_size_though_its_probe_was_smaller(
    vitpose_folder: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_size: list[bool] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        # a graph of any batch size has the size as an input
        any_size.append(any(isinstance(one, torch.SymInt) for one in inputs))
        return graph.forward

    compiled = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **more: compiled(module, backend=backend, **more))
    torch._dynamo.reset()
    teacher = load_network(f"vitpose:{vitpose_folder}?compile=1", "cpu")
    for rows in (2, 5, 5, 3):
        assert len(teacher(crops[:rows])) == rows
    assert any_size == [False, False]


def test_unknown_options_are_refused(vitpose_folder: Path) -> None:
    with pytest.raises(ValueError, match="unknown compiled: expected compile, scale, activation, beta, licence"):
        load_network(f"vitpose:{vitpose_folder}?compiled=1")
    with pytest.raises(ValueError, match="unknown licence: expected compile"):
        load_network("vitpose-plus-huge?licence=MIT")
    with pytest.raises(ValueError, match="compile is 'yes': expected 0 or 1"):
        load_network(f"vitpose:{vitpose_folder}?compile=yes")


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    tiny_vitpose(keypoints=14).save_pretrained(tmp_path / "crowdpose")
    with pytest.raises(ValueError, match="does not name the joints of its 14 outputs"):
        load_network(f"vitpose:{tmp_path / 'crowdpose'}")
    with pytest.raises(FileNotFoundError, match=r"no config\.json.*hf download"):
        load_network(f"vitpose:{tmp_path}")


def test_weights_that_cannot_be_downloaded_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match="hf download usyd-community/vitpose-plus-huge"):
        load_network("vitpose-plus-huge")


def test_the_digest_covers_every_file_of_weights(vitpose_folder: Path, tmp_path: Path) -> None:
    whole = load_network(f"vitpose:{vitpose_folder}")
    files = [vitpose_folder / name for name in ("config.json", "model.safetensors")]
    # as version 0.1 made it
    assert whole.digest == digest_of("udp, ImageNet mean and std, dataset 0", *files)
    sharded = tmp_path / "sharded"
    tiny_vitpose().save_pretrained(sharded, max_shard_size="50KB")
    parts = sorted(sharded.glob("model-*.safetensors"))
    assert len(parts) > 2
    digests = {load_network(f"vitpose:{sharded}").digest}
    # a part under another name, which only the index knows
    moved = sharded / "weights-of-the-head.safetensors"
    parts[-1].rename(moved)
    index = sharded / "model.safetensors.index.json"
    index.write_text(index.read_text().replace(parts[-1].name, moved.name))
    digests.add(load_network(f"vitpose:{sharded}").digest)
    content = bytearray(moved.read_bytes())
    content[-1] ^= 1
    moved.write_bytes(content)
    digests.add(load_network(f"vitpose:{sharded}").digest)
    assert len(digests) == 3
    moved.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"index\.json names .*weights-of-the-head\.safetensors is not beside it"
    ):
        load_network(f"vitpose:{sharded}")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"image_mean": [0.5, 0.5, 0.5]}, r"image_mean is \[0\.5.*expected ImageNet's"),
        ({"image_std": [1, 1, 1]}, "image_std is"),
        ({"do_normalize": False}, "do_normalize is false"),
    ],
)
def test_another_normalisation_is_refused(vitpose_folder: Path, stated: dict[str, Any], message: str) -> None:
    path = vitpose_folder / "preprocessor_config.json"
    VitPoseImageProcessor().save_pretrained(vitpose_folder)
    digest = load_network(f"vitpose:{vitpose_folder}").digest
    path.unlink()
    assert load_network(f"vitpose:{vitpose_folder}").digest == digest
    path.write_text(json.dumps(stated))
    with pytest.raises(ValueError, match=message):
        load_network(f"vitpose:{vitpose_folder}")


def test_values_of_a_folder_are_changed_by_options(vitpose_folder: Path, crops: np.ndarray) -> None:
    plain, halved = (load_network(f"vitpose:{vitpose_folder}{options}", "cpu") for options in ("", "?scale=1/2"))
    np.testing.assert_allclose(halved(crops), plain(crops) / 2, rtol=1e-6)
    assert (halved.name, plain.name) == ("vitpose?scale=0.5", "vitpose")
    assert halved.digest != plain.digest


@pytest.mark.gpu
def test_vitpose_in_bfloat16_is_near_float32(vitpose_folder: Path, crops: np.ndarray) -> None:
    exact = load_network(f"vitpose:{vitpose_folder}", "cpu")(crops)
    fast = load_network(f"vitpose:{vitpose_folder}", "cuda")(crops)
    assert np.abs(exact - fast).max() < 0.05 * np.abs(exact).max()


def test_attention_is_one_kernel(vitpose_folder: Path) -> None:
    """Of a teacher that runs; only the counter of operations takes it apart."""
    teacher = load_network(f"vitpose:{vitpose_folder}", "cpu")
    assert isinstance(teacher, VitPoseTeacher)
    networks: list[Any] = [teacher.network, plus_network("small", fused_attention=True), plus_network("small")]
    kinds = [network.model.backbone.config._attn_implementation for network in networks]
    assert kinds == ["sdpa", "sdpa", "eager"]
