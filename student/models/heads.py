"""Feature maps -> heatmaps: the paper's sub-pixel head, and a lateral head that learns from fewer samples."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

# standard deviation of the last layer's first weights: heatmaps start near 0, the value of almost every target cell
LAST_LAYER_STD = 1e-3


def conv_block(channels: int, out: int, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    """Return the paper's ConvBlock: convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class SubPixelHead(nn.Module):
    """The paper's head (section 3.1): the stride-32 map (B, C, h, w) -> (B, joints, 8h, 8w).

    Only the smallest maps go through dense convolutions, and PixelShuffle trades channels for resolution. The paper
    does not print the widths; these meet its Params and GFlops on all fourteen students (Table 1).
    """

    def __init__(self, channels: Sequence[int], joints: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_block(channels[-1], 256),  # stride 32: early channel reduction
            conv_block(256, 192),  # stride 32: refinement
            nn.PixelShuffle(2),  # 48 channels at stride 16
            conv_block(48, 48, groups=48),
            conv_block(48, 192, kernel=1),
            nn.PixelShuffle(2),  # 48 channels at stride 8
            conv_block(48, 48, groups=48),
            conv_block(48, 128, kernel=1),
            nn.PixelShuffle(2),  # 32 channels at stride 4
            conv_block(32, 32, groups=32),
        )
        self.heatmaps = _last_layer(32, joints)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return heatmaps of feature maps, coarsest last."""
        heatmaps: Tensor = self.heatmaps(self.layers(maps[-1]))
        return heatmaps


class LateralHead(nn.Module):
    """Not the paper's: 1x1 laterals from every feature map, summed on the way up to stride 4, a narrow mix at each.

    Few layers lie between the stride-4 features and the heatmaps: it learns from far fewer samples.
    """

    def __init__(self, channels: Sequence[int], joints: int, width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.mixes = nn.ModuleList(_mixing_block(width) for _ in channels)
        self.heatmaps = _last_layer(width, joints)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return heatmaps (B, joints, h, w) at the finest map's resolution; maps: coarsest last."""
        coarser: Tensor | None = None
        for features, lateral, mix in zip(reversed(maps), reversed(self.laterals), reversed(self.mixes), strict=True):
            merged = lateral(features)
            if coarser is not None:
                merged = merged + functional.interpolate(coarser, size=merged.shape[-2:], mode="nearest")
            coarser = mix(merged)
        heatmaps: Tensor = self.heatmaps(coarser)
        return heatmaps


def _mixing_block(width: int) -> nn.Sequential:
    """Return a depthwise 3x3 and a 1x1 convolution, with one ReLU at the end."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _last_layer(channels: int, joints: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, joints, 1)
    nn.init.normal_(layer.weight, std=LAST_LAYER_STD)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
