"""Costs of networks, compared with counts by hand and with the paper's Table 1."""

import pytest
import torch
from torch import nn

from cache_tools.skeletons import COCO
from student.models.backbones import student_names
from student.models.flops import count_costs
from student.models.paper import paper_row
from student.models.student import create_student
from student.settings import ModelSettings
from student.torch_versions import on_meta_device

# millions of parameters of this project's head on each backbone
PARAMS_M = (3.162, 4.074, 5.299, 9.876, 32.752, 7.418, 9.924, 11.406, 14.696, 22.139, 33.521, 16.780, 22.978, 28.688)


@pytest.mark.parametrize(("name", "params_m"), list(zip(student_names(), PARAMS_M, strict=True)))
def test_students_have_table_1s_costs(name: str, params_m: float) -> None:
    with on_meta_device():
        student = create_student(ModelSettings(backbone=name, weights="none"), COCO)
    shapes = []
    student.register_forward_hook(lambda module, images, maps: shapes.append(maps.shape))
    costs, paper = count_costs(student, (256, 192)), paper_row(name)
    assert shapes == [(1, 17, 64, 48)]
    assert paper is not None
    assert round(costs.params_m, 3) == params_m
    assert abs(costs.params_m - paper.params_m) <= 0.05
    assert abs(costs.gflops - paper.gflops) <= 0.05


def test_layers_are_counted_as_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),  # 8 x 4 x 3 cells, 27 products each
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(8),
        nn.Linear(8, 5),
    )
    costs = count_costs(model, (8, 6))
    assert costs.params == 3 * 8 * 9 + 8 + 16 + 16 + 45
    assert costs.macs == 8 * 12 * 27 + 40
    assert costs.table1_flops == 2 * 8 * 12 * 27 + 96 + 2 * 96 + 96 + 96 + 5 * 8 + 2 * 40 + 5
    assert costs.gmacs == costs.macs / 1e9


def test_counting_restores_the_mode_of_each_module() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3).eval())
    count_costs(model, (8, 6))
    assert model.training
    assert [module.training for module in model] == [True, False]


class FusedAttention(nn.Module):
    """Attention by torch's one operator."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the attention of twelve tokens of sixteen channels."""
        tokens = image.reshape(1, 1, 12, 16)
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


class EagerAttention(nn.Module):
    """The same attention, product by product."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the attention of twelve tokens of sixteen channels."""
        tokens = image.reshape(1, 1, 12, 16)
        scores = (tokens @ tokens.mT) * 16**-0.5
        return scores.softmax(-1) @ tokens


@pytest.mark.parametrize("attention", [FusedAttention(), EagerAttention()])
def test_attention_counts_in_macs_and_not_in_table_1(attention: nn.Module) -> None:
    costs = count_costs(attention, (8, 8))
    assert (costs.macs, costs.table1_flops) == (2 * 12 * 12 * 16, 0)
    image = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(EagerAttention()(image), FusedAttention()(image))
