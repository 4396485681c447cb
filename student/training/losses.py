"""How far a heatmap is from its target: adaptive wing, squared error or divergence; and the mix of labels and teacher.

Adaptive wing: Wang, Bo, Fuxin, "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", ICCV 2019. With y
the target and d = |y - prediction|,

    loss = omega ln(1 + (d / eps)^(alpha - y))  where d < theta,  else  A d - C,

A and C making value and slope continuous at theta. A copy often seen divides by omega in place of eps and jumps there.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from student.settings import DistillSettings

OMEGA, THETA, EPSILON, ALPHA = 14.0, 0.5, 1.0, 2.1  # the authors' values
FOREGROUND = 0.2  # the weighted map: cells within one of a cell above this
FOREGROUND_WEIGHT = 10.0  # count 1 + this
TINY = 1e-30  # keeps 0 * log(0) out of the powers


def distillation_loss(
    prediction: Tensor,
    target: Tensor | None,
    target_weight: Tensor | None,
    teacher: Tensor | None,
    settings: DistillSettings,
    alpha: float,
    labelled_joints: Tensor | float | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """(1 - alpha) * L(ground truth) + alpha * L(teacher)   (paper, equation 1), and the two parts, detached.

    prediction, target, teacher: (B, 17, h, w); target_weight: (B, 17). The ground truth counts labelled joints, the
    teacher all of them: it knows about unlabelled ones too. Without `teacher` the loss is the ground truth's; with
    alpha = 1 no ground truth is needed. The first part is divided by the number of weighted joints of this batch, or by
    `labelled_joints`: in DDP, its mean over the processes makes their averaged gradients those of the joined batch.
    """
    if teacher is None:
        alpha = 0.0
    parts: dict[str, Tensor] = {}
    total = prediction.new_zeros((), dtype=torch.float32)
    if alpha < 1:
        if target is None or target_weight is None:
            raise ValueError(f"alpha is {alpha}: below 1 the loss needs ground truth, and this batch has none")
        per_joint = joint_losses(prediction, target, settings) * target_weight
        count = (target_weight > 0).sum() if labelled_joints is None else torch.as_tensor(labelled_joints)
        labels = per_joint.sum() / count.clamp(min=1)
        parts["ground_truth"] = labels.detach()
        total = total + (1 - alpha) * labels
    if teacher is not None and alpha > 0:
        words = joint_losses(prediction, teacher, settings).mean()
        parts["teacher"] = words.detach()
        total = total + alpha * words
    return total, parts


def joint_losses(prediction: Tensor, target: Tensor, settings: DistillSettings) -> Tensor:
    """Loss (B, 17) of heatmaps (B, 17, h, w) by `settings.loss`, float32 under any autocast; targets cut to [0, 1]."""
    prediction, target = prediction.float(), target.float().clamp(0, 1)  # teachers leave [0, 1] a little
    if settings.loss == "kl":
        return spatial_divergence(prediction, target, settings.temperature)
    return LOSSES[settings.loss](prediction, target)


def adaptive_wing(prediction: Tensor, target: Tensor) -> Tensor:
    """Adaptive wing with the weighted map: float32 (B, J, h, w), target in [0, 1] -> mean over the cells (B, J)."""
    losses: Tensor = _AdaptiveWing.apply(prediction, target)
    return losses


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over the cells (B, J)."""
    return (prediction - target).square().mean(dim=(2, 3))


def spatial_divergence(prediction: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence (B, J) of the prediction from the target, both as distributions over the cells.

    Equation 2 of the paper has it for the teacher, and for the labels cross-entropy, which differs by a constant (the
    labels' entropy) that is left out here: 0 is a perfect student for both. Target and prediction are logits alike,
    softmax(map / temperature), so that the best prediction is the heatmap itself and decodes as one. The square of the
    temperature keeps the size of the gradient (Hinton et al. 2015).
    """
    predicted = torch.log_softmax(prediction.flatten(2) / temperature, dim=2)
    expected = torch.log_softmax(target.flatten(2) / temperature, dim=2)
    return (expected.exp() * (expected - predicted)).sum(dim=2) * temperature**2


def foreground(target: Tensor) -> Tensor:
    """Cells (B, J, h, w) of the weighted map: the 3x3 grey dilation of `target` is above FOREGROUND."""
    above = target > FOREGROUND
    rows = above.clone()
    rows[..., 1:, :] |= above[..., :-1, :]
    rows[..., :-1, :] |= above[..., 1:, :]
    cells = rows.clone()
    cells[..., 1:] |= rows[..., :-1]
    cells[..., :-1] |= rows[..., 1:]
    return cells


class _AdaptiveWing(torch.autograd.Function):
    """Value and slope in one pass: three logarithms and two exponentials a cell, no powers, only the slope is kept."""

    @staticmethod
    def forward(ctx: FunctionCtx, prediction: Tensor, target: Tensor) -> Tensor:
        weight = foreground(target).to(prediction.dtype).mul_(FOREGROUND_WEIGHT).add_(1)
        error = prediction - target
        exponent = ALPHA - target
        # A and C of the linear branch; (theta / eps)^x as exp(x log), much faster than pow on a CPU
        at_theta = torch.exp(exponent * math.log(THETA / EPSILON))
        slope = OMEGA / THETA * exponent * at_theta / (1 + at_theta)
        offset = slope * THETA - OMEGA * torch.log1p(at_theta)
        distance = error.abs()
        near = distance < THETA
        inner = distance.clamp(TINY, THETA)
        power = torch.exp(exponent * torch.log(inner / EPSILON))
        curve = OMEGA * torch.log1p(power)
        losses = torch.where(near, curve, slope * distance - offset).mul_(weight)
        gradient = torch.where(near, OMEGA * exponent * power / (inner * (1 + power)), slope)
        gradient.mul_(torch.sign(error)).mul_(weight).div_(target.shape[-1] * target.shape[-2])
        ctx.save_for_backward(gradient)
        return losses.mean(dim=(2, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None, None], None


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"adaptive_wing": adaptive_wing, "mse": squared_error}
