"""Backbones: their names, the modules kept of each network, and options."""

import pytest
import torch

from student.models.backbones import FeatureMaps, create_backbone, resolve_backbone, student_names
from student.torch_versions import on_meta_device

NARROW = {"channels": [8, 16, 24, 32], "stem_width": 8}


def test_table_1_has_fourteen_students() -> None:
    assert len(student_names()) == 14
    assert student_names()[0] == "Shufflenet_0.5"


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
def test_names_are_matched_in_any_spelling(spelling: str, expected: tuple[str, str]) -> None:
    assert resolve_backbone(spelling) == expected


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("eficientnet_b0", "did you mean Efficientnet_B0"),
        # timm's, named without its prefix
        ("resnet18", "timm:resnet18"),
        ("timm:resnet81", "did you mean resnet"),
        # a teacher is no backbone
        ("VitPose-H", "expected timm:NAME or one of Shufflenet_0.5"),
        ("torch:resnet50", "expected timm:NAME or one of Shufflenet_0.5"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(wrong: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        resolve_backbone(wrong)


@pytest.mark.parametrize("name", ["shufflenet_0.5", "mobilenet_m", "timm:vgg11", "timm:convnext_atto"])
@pytest.mark.parametrize("features", ["last", "pyramid"])
def test_nothing_unused_is_kept(name: str, features: FeatureMaps) -> None:
    with on_meta_device():
        backbone = create_backbone(name, "none", features=features)
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
def test_options_that_do_not_fit_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_backbone(name, "none", options)


def test_a_pyramid_must_start_at_stride_4() -> None:
    with pytest.raises(ValueError, match=r"has maps at strides \(8, 16, 32\): this head needs one at stride 4"):
        create_backbone("timm:resnet10t", "none", NARROW | {"out_indices": [2, 3, 4]}, features="pyramid")
