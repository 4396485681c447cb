"""Backbones: the fourteen of Table 1 by the paper's names, and any timm network as `timm:NAME`.

Names are matched without regard to case, and `-`, `.`, `_` count as the same: `Efficientnet_B0`, `efficientnet-b0`.

A narrow network that learns from 128x96 crops in a minute or two on a CPU comes from timm options. It takes both heads:
1.07 M parameters and 0.09 GFLOPs with the paper's, 0.35 M and 0.08 with the lateral one. `stem_width` saves half of the
time, because timm's stem is 32 wide at stride 2. ImageNet weights do not fit it.

    backbone: timm:resnet10t
    backbone_options: {channels: [16, 32, 64, 128], stem_width: 16}
    weights: none
"""

import copy
import difflib
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from student.backbone_options import check_options
from student.models.paper import canonical_name, paper_row, paper_rows
from student.models.pretrained import download_advice, imagenet_url, load_pretrained

FeatureMaps = Literal["last", "pyramid"]
# side of the image that is sent through a new backbone to find its strides
PROBE_SIZE = 128


class Backbone(nn.Module):
    """An ImageNet network without its classifier and without anything else that its feature maps do not need.

    forward: (B, 3, H, W) -> list of feature maps, coarsest last; `channels` and `strides` describe them.
    """

    def __init__(self, trunk: nn.Module, features: FeatureMaps) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = features
        self.first = 0
        shapes = drop_unused(self)
        strides = [PROBE_SIZE // shape[2] for shape in shapes]
        self.first = sum(stride < 4 for stride in strides)
        self.strides = tuple(strides[self.first :])
        self.channels = tuple(shape[1] for shape in shapes[self.first :])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of images, coarsest last."""
        if self.features == "last":
            # timm's networks and ShuffleNet have it, nn.Module's type does not
            return [self.trunk.forward_features(images)]  # type: ignore[operator]
        maps: list[Tensor] = self.trunk(images)
        return maps[self.first :]


class ShuffleNet(nn.Module):
    """torchvision's ShuffleNetV2 up to conv5, called as timm's networks are (timm has none)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.conv1, self.maxpool = network.get_submodule("conv1"), network.get_submodule("maxpool")
        self.stage2, self.stage3 = network.get_submodule("stage2"), network.get_submodule("stage3")
        self.stage4, self.conv5 = network.get_submodule("stage4"), network.get_submodule("conv5")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return feature maps at strides 4, 8, 16 and 32."""
        stride4 = self.maxpool(self.conv1(images))
        stride8 = self.stage2(stride4)
        stride16 = self.stage3(stride8)
        return [stride4, stride8, stride16, self.conv5(self.stage4(stride16))]

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the feature map at stride 32."""
        last: Tensor = self(images)[-1]
        return last


def student_names() -> tuple[str, ...]:
    """Return the names of Table 1's fourteen students, in the paper's order and spelling."""
    return tuple(row.name for row in paper_rows() if row.role == "student")


def resolve_backbone(backbone: str) -> tuple[str, str]:
    """Return (library, model name in that library) of a backbone.

    Raises ValueError with near names for an unknown one.
    """
    import timm

    kind, _, name = backbone.rpartition(":")
    if kind == "timm":
        if timm.is_model(name):
            return "timm", name
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ValueError(
            f"timm has no model {name!r}: {_did_you_mean(near) or 'see timm.list_models()'} (timm {timm.__version__})"
        )
    row = paper_row(backbone)
    if not kind and row is not None and row.role == "student":
        return row.library, row.model
    by_canonical = {canonical_name(known): known for known in student_names()}
    near = [
        by_canonical[match] for match in difflib.get_close_matches(canonical_name(backbone), list(by_canonical), n=3)
    ]
    if timm.is_model(backbone):
        near.append(f"timm:{backbone}")
    raise ValueError(
        f"unknown backbone {backbone!r}: {_did_you_mean(near)}expected timm:NAME or one of {', '.join(student_names())}"
    )


def create_backbone(
    backbone: str, weights: str = "imagenet", options: Mapping[str, Any] | None = None, features: FeatureMaps = "last"
) -> Backbone:
    """Return the backbone with its weights loaded.

    weights: `imagenet`, `none`, a file, or `package:NAME` (student/models/pretrained.py).
    options: those of student/backbone_options.py; with `features="pyramid"`, `out_indices` cuts it at a stride.
    features: `last` gives only the stride-32 map, `pyramid` one map at every stride from 4 on.
    Raises ValueError for names, options and weights that do not fit, OSError when weights cannot be downloaded or read.
    """
    check_options(dict(options or {}))
    library, model = resolve_backbone(backbone)
    pretrained = weights == "imagenet"
    try:
        built = Backbone(_create_trunk(library, model, pretrained, dict(options or {}), features), features)
    except OSError as error:
        raise OSError(download_advice(library, model, error)) from error
    # timm's errors for options that do not fit
    except (TypeError, AssertionError, RuntimeError, LookupError, AttributeError, ArithmeticError) as error:
        advice = ""
        if pretrained and imagenet_url(library, model) is None:
            advice = "; use weights `none` or a file"
        elif pretrained and options:
            advice = "; ImageNet weights fit no changed network: use weights `none`"
        raise ValueError(f"{backbone} with options {dict(options or {})} cannot be built: {error}{advice}") from error
    _check_strides(backbone, built.strides, features)
    if weights not in ("imagenet", "none"):
        load_pretrained(built.trunk, weights, backbone)
    return built


def drop_unused(backbone: Backbone) -> list[torch.Size]:
    """Replace modules that do not contribute to the feature maps (classifiers) by identities; return the maps' shapes.

    Table 1 counts parameters, and weight decay and DDP visit them all: nothing unused may stay. Unused modules are
    those that get no gradient; a copy on the meta device finds them without any arithmetic.
    """
    # whatever mode the caller is in
    with torch.inference_mode(False), torch.enable_grad():
        probe = copy.deepcopy(backbone).to("meta").eval()
        maps = probe(torch.empty(1, 3, PROBE_SIZE, PROBE_SIZE, device="meta"))
        total = torch.stack([m.sum() for m in maps]).sum()
        # torch has no types for it
        total.backward()  # type: ignore[no-untyped-call]
    unused = {
        name
        for name, module in probe.named_modules()
        if list(module.parameters()) and all(p.grad is None for p in module.parameters())
    }
    for name in unused:
        parent = name.rpartition(".")[0]
        if parent not in unused:
            backbone.set_submodule(name, nn.Identity())
    return [m.shape for m in maps]


def _create_trunk(
    library: str, model: str, pretrained: bool, options: dict[str, Any], features: FeatureMaps
) -> nn.Module:
    if library == "torchvision":
        from torchvision.models import get_model

        if options:
            raise ValueError(f"backbone_options {options} are for timm networks: {model} comes from torchvision")
        return ShuffleNet(get_model(model, weights="DEFAULT" if pretrained else None))
    import timm

    if features == "last":
        trunk = timm.create_model(model, pretrained=pretrained, num_classes=0, global_pool="", **options)
    else:
        trunk = timm.create_model(model, pretrained=pretrained, features_only=True, **options)
    assert isinstance(trunk, nn.Module)
    return trunk


def _check_strides(backbone: str, strides: tuple[int, ...], features: FeatureMaps) -> None:
    if features == "last" and strides != (32,):
        raise ValueError(
            f"{backbone} ends at stride {strides[-1] if strides else '< 4'}: this head needs a stride-32 map"
        )
    if features == "pyramid" and (not strides or strides[0] != 4):
        raise ValueError(f"{backbone} has maps at strides {strides}: this head needs one at stride 4")


def _did_you_mean(near: list[str]) -> str:
    return f"did you mean {' or '.join(near)}? " if near else ""
