"""Students: Table 1's costs, shapes, first predictions, and that both heads learn."""

import pytest
import torch
from torch import nn

from student.models.backbones import student_names
from student.models.flops import count_costs
from student.models.paper import paper_row
from student.models.student import create_student
from student.normalise import normalise
from student.settings import DistillSettings, ModelSettings
from student.training.losses import distillation_loss

# Parameters of this project's head on each backbone, millions
PARAMS_M = (3.162, 4.074, 5.299, 9.876, 32.752, 7.418, 9.924, 11.406, 14.696, 22.139, 33.521, 16.780, 22.978, 28.688)
NARROW = ModelSettings(
    backbone="timm:resnet10t",
    backbone_options={"channels": [16, 32, 64, 128], "stem_width": 16},
    weights="none",
    input_size=(128, 96),
    heatmap_size=(32, 24),
)


@pytest.mark.parametrize(("name", "params_m"), list(zip(student_names(), PARAMS_M, strict=True)))
def test_table_one(name: str, params_m: float) -> None:
    with torch.device("meta"):
        student = create_student(ModelSettings(backbone=name, weights="none"))
        assert student(torch.empty(2, 3, 256, 192)).shape == (2, 17, 64, 48)
    costs, paper = count_costs(student, (256, 192)), paper_row(name)
    assert paper is not None
    assert round(costs.params_m, 3) == params_m
    assert abs(costs.params_m - paper.params_m) <= 0.05
    assert abs(costs.gflops - paper.gflops) <= 0.05


def test_counter_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),  # 8 x 4 x 3 cells, 27 products each
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    costs = count_costs(model, (8, 6))
    assert costs.params == 3 * 8 * 9 + 8 + 16 + 45
    assert costs.macs == 8 * 12 * 27 + 40
    assert costs.table1_flops == 2 * 8 * 12 * 27 + 96 + 2 * 96 + 96 + 96 + 2 * 40 + 5
    assert model.training  # as it was


def test_attention_counts_in_macs_and_not_in_table_one() -> None:
    class Attention(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            tokens = image.reshape(1, 1, 12, 16)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    costs = count_costs(Attention(), (8, 8))
    assert (costs.macs, costs.table1_flops) == (2 * 12 * 12 * 16, 0)


@pytest.mark.parametrize("head", ["subpixel", "lateral"])
@pytest.mark.parametrize("backbone", ["shufflenet_0.5", "timm:mobilenetv3_small_050"])
def test_shapes_and_a_quiet_start(head: str, backbone: str) -> None:
    torch.manual_seed(0)
    settings = ModelSettings.model_validate({"backbone": backbone, "head": head, "weights": "none"})
    student = create_student(settings)
    maps = student(torch.randn(2, 3, 128, 96))
    assert maps.shape == (2, 17, 32, 24)
    assert maps.abs().max() < 0.1  # almost every cell of a target is 0
    maps.sum().backward()
    assert all(p.grad is not None for p in student.parameters())


@pytest.mark.parametrize("head", ["subpixel", "lateral"])
def test_both_heads_learn_a_batch_by_heart(head: str) -> None:
    torch.manual_seed(0)
    student = create_student(NARROW.model_copy(update={"head": head}))
    images = torch.randn(4, 3, 128, 96)
    rows, columns = torch.arange(32.0)[:, None], torch.arange(24.0)
    centre = torch.rand(4, 17, 2) * torch.tensor([23.0, 31.0])
    distance = (columns - centre[..., 0, None, None]) ** 2 + (rows - centre[..., 1, None, None]) ** 2
    target = torch.exp(-distance / (2 * 1.5**2))
    optimiser = torch.optim.AdamW(student.parameters(), lr=4e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss, _ = distillation_loss(student(images), target, torch.ones(4, 17), None, DistillSettings(), 0)
        loss.backward()
        optimiser.step()
    found = student(images).detach().flatten(2).argmax(2)
    off = (found % 24 - centre[..., 0]).abs().maximum((found // 24 - centre[..., 1]).abs())
    assert float((off < 1.5).float().mean()) > 0.9


def test_input_size_must_be_whole_at_stride_32() -> None:
    with pytest.raises(ValueError, match="input_size is 100x96: both sides must be multiples of 32"):
        create_student(NARROW.model_copy(update={"input_size": (100, 96)}))


def test_weights_are_skipped_for_a_checkpoint() -> None:
    create_student(NARROW.model_copy(update={"weights": "/there/is/no/such/file"}), pretrained=False)


def test_normalise_is_torchvision_s() -> None:
    from torchvision.transforms.functional import normalize

    crops = torch.randint(0, 256, (2, 8, 6, 3), dtype=torch.uint8)
    expected = normalize(crops.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    ours = normalise(crops)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    assert ours.is_contiguous(memory_format=torch.channels_last)
