"""A student: an ImageNet backbone and a head that ends in one heatmap a joint, at stride 4."""

from torch import Tensor, nn

from cache_tools.skeletons import Skeleton
from student.models.backbones import Backbone, create_backbone
from student.models.heads import LateralHead, SubPixelHead
from student.settings import ModelSettings


class PoseStudent(nn.Module):
    """Images (B, 3, H, W) from `student.normalise` -> heatmaps (B, K, H/4, W/4), unbounded, about 0 to 1.

    skeleton: of the K joints.
    """

    def __init__(self, backbone: Backbone, head: nn.Module, skeleton: Skeleton) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return the heatmaps of images."""
        heatmaps: Tensor = self.head(self.backbone(images))
        return heatmaps


def untrained_settings(
    backbone: str, head: str = "subpixel", input_size: tuple[int, int] = (256, 192)
) -> ModelSettings:
    """Return settings of a student without pretrained weights, to measure its costs, which do not depend on weights.

    Raises ValueError (pydantic's ValidationError) for an unknown head.
    """
    height, width = input_size
    return ModelSettings.model_validate(
        {
            "backbone": backbone,
            "head": head,
            "weights": "none",
            "input_size": input_size,
            "heatmap_size": (height // 4, width // 4),
        }
    )


def create_student(settings: ModelSettings, skeleton: Skeleton, *, pretrained: bool = True) -> PoseStudent:
    """Return the student that `settings` describe, in training mode, with a heatmap for each joint of `skeleton`.

    pretrained: False skips `settings.weights`, for a student whose trained weights will be loaded.
    Raises ValueError for settings that fit no network, OSError when ImageNet weights cannot be downloaded or read.
    """
    height, width = settings.input_size
    if height % 32 or width % 32:
        raise ValueError(f"model.input_size is {height}x{width}: both sides must be multiples of 32")
    weights = settings.weights if pretrained else "none"
    if settings.head == "subpixel":
        backbone = create_backbone(settings.backbone, weights, settings.backbone_options, features="last")
        return PoseStudent(backbone, SubPixelHead(backbone.channels, len(skeleton)), skeleton)
    backbone = create_backbone(settings.backbone, weights, settings.backbone_options, features="pyramid")
    head = LateralHead(backbone.channels, len(skeleton), settings.head_channels)
    return PoseStudent(backbone, head, skeleton)
