"""Losses of a heatmap (adaptive wing, mean squared error, divergence) and their sum over ground truth and teacher.

Adaptive wing: Wang, Bo, Fuxin, "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", ICCV 2019. With y
the target and d = |y - prediction|,

    loss = omega ln(1 + (d / eps)^(alpha - y))  where d < theta,  else  A d - C,

where A and C make value and slope continuous at theta. A common variant divides by omega, not eps, and jumps there.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from student.settings import DistillSettings, LossName

# the authors' values
OMEGA, THETA, EPSILON, ALPHA = 14.0, 0.5, 1.0, 2.1
# the weighted map: cells at a distance of at most one from a cell above FOREGROUND weigh 1 + FOREGROUND_WEIGHT
FOREGROUND, FOREGROUND_WEIGHT = 0.2, 10.0
# keeps 0 * log(0) out of the powers
TINY = 1e-30
#: signature of `joint_losses`
JointLosses = Callable[[Tensor, Tensor, LossName, float], Tensor]


def distillation_loss(
    prediction: Tensor,
    target: Tensor | None,
    target_weight: Tensor | None,
    teacher: Tensor | None,
    settings: DistillSettings,
    alpha: float,
    labelled_joints: Tensor | float | None = None,
    teacher_weight: Tensor | None = None,
    labelled: Tensor | None = None,
    joint_losses_of: JointLosses | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return (1 - alpha) * L(ground truth) + alpha * L(teacher) (paper, equation 1), and both losses, detached.

    prediction, target, teacher: (B, K, h, w); target_weight: (B, K). The ground truth's loss is a mean over weighted
    joints, the teacher's over all joints: it has maps of unlabelled ones as well. Without `teacher` the loss is the
    ground truth's; with alpha = 1 no ground truth is needed.

    labelled_joints: number by which the ground truth's sum is divided, in place of this batch's. In DDP, with the mean
    over the processes, averaged gradients are those of the joined batch.

    teacher_weight: (B, K), 0 where no teacher knows the joint that the view shows; there alpha is 0, and the joint
    learns from its labels with full weight. The teacher's loss remains a mean over all joints: how much one joint is
    taught does not depend on which others the teacher knows. None: it knows all.

    labelled: (B,), 0 where a person has no labels; there alpha is 1. None: all have. With `settings.confidence`, alpha
    is multiplied by the height of the teacher's map.

    joint_losses_of: in place of `joint_losses`, the same function compiled.

    Raises ValueError where alpha is below 1 and there is no ground truth.
    """
    losses_of = joint_losses_of or joint_losses
    losses: dict[str, Tensor] = {}
    total = prediction.new_zeros((), dtype=torch.float32)
    share = 0.0 if teacher is None else _teacher_share(alpha, teacher, teacher_weight, labelled, settings)
    if isinstance(share, Tensor) or share < 1:
        if target is None or target_weight is None:
            raise ValueError(f"alpha is {alpha}: below 1 the loss needs ground truth, and this batch has none")
        per_joint = losses_of(prediction, target, settings.loss, settings.temperature) * target_weight
        count = (target_weight > 0).sum() if labelled_joints is None else torch.as_tensor(labelled_joints)
        count = count.clamp(min=1)
        losses["ground_truth"] = per_joint.detach().sum() / count
        if isinstance(share, Tensor):
            total = total + ((1 - share) * per_joint).sum() / count
        else:
            total = total + (1 - share) * (per_joint.sum() / count)
    if teacher is not None and (isinstance(share, Tensor) or share > 0):
        per_joint = losses_of(prediction, teacher, settings.teacher_loss or settings.loss, settings.temperature)
        teacher_loss = per_joint.mean() if teacher_weight is None else (teacher_weight * per_joint).mean()
        losses["teacher"] = teacher_loss.detach()
        total = total + ((share * per_joint).mean() if isinstance(share, Tensor) else share * teacher_loss)
    return total, losses


def _teacher_share(
    alpha: float,
    teacher: Tensor,
    teacher_weight: Tensor | None,
    labelled: Tensor | None,
    settings: DistillSettings,
) -> Tensor | float:
    """Return the teacher's share of the loss: a number where it is the same everywhere, else (B, K)."""
    share: Tensor | float = alpha
    if labelled is not None:
        share = (1 - (1 - alpha) * labelled)[:, None].expand(teacher.shape[:2])
    if teacher_weight is not None:
        share = share * teacher_weight
    if settings.confidence:
        share = share * teacher.amax(dim=(2, 3)).clamp(0, 1)
    return share


def joint_losses(prediction: Tensor, target: Tensor, loss: LossName, temperature: float = 1.0) -> Tensor:
    """Return the loss (B, K) of heatmaps (B, K, h, w), in float32 under any autocast. temperature: of `kl`."""
    # heatmaps of teachers exceed [0, 1] a little
    prediction, target = prediction.float(), target.float().clamp(0, 1)
    if loss == "kl":
        return spatial_divergence(prediction, target, temperature)
    return LOSSES[loss](prediction, target)


def adaptive_wing(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the adaptive wing loss (B, J) with the weighted map, a mean over cells; maps (B, J, h, w) in [0, 1]."""
    losses: Tensor = _AdaptiveWing.apply(prediction, target)
    return losses


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error over the cells (B, J)."""
    return (prediction - target).square().mean(dim=(2, 3))


def spatial_divergence(prediction: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Return the Kullback-Leibler divergence (B, J) of the prediction from the target, as distributions over the cells.

    The paper's equation 2 has it for the teacher, and for the labels cross-entropy, which differs by a constant (the
    labels' entropy) that is left out here: 0 is a perfect student for both. Target and prediction are both logits,
    softmax(map / temperature): the best prediction is the heatmap itself and is decoded as one. The factor
    temperature^2 keeps the size of the gradient (Hinton et al. 2015).
    """
    predicted = torch.log_softmax(prediction.flatten(2) / temperature, dim=2)
    expected = torch.log_softmax(target.flatten(2) / temperature, dim=2)
    return (expected.exp() * (expected - predicted)).sum(dim=2) * temperature**2


def foreground(target: Tensor) -> Tensor:
    """Return the cells (B, J, h, w) of the weighted map: the 3x3 grey dilation of `target` exceeds FOREGROUND there."""
    if target.device.type != "cpu":
        return pooled_foreground(target)
    above = target > FOREGROUND
    rows = above.clone()
    rows[..., 1:, :] |= above[..., :-1, :]
    rows[..., :-1, :] |= above[..., 1:, :]
    cells = rows.clone()
    cells[..., 1:] |= rows[..., :-1]
    cells[..., :-1] |= rows[..., 1:]
    return cells


def pooled_foreground(target: Tensor) -> Tensor:
    """Return the same cells by one kernel, which torch.compile fuses; on a CPU the other way is faster."""
    return functional.max_pool2d(target, 3, stride=1, padding=1) > FOREGROUND


class _AdaptiveWing(torch.autograd.Function):
    """Value and slope in one pass: a logarithm and an exponential for each power; only the slope is kept."""

    @staticmethod
    def forward(ctx: FunctionCtx, prediction: Tensor, target: Tensor) -> Tensor:
        error = prediction - target
        distance = error.abs()
        # in the memory format of the prediction, which the network's backward pass then has to read
        exponent = torch.full_like(distance, ALPHA).sub_(target)
        inner = distance.clamp(TINY, THETA)
        # x^exponent as exp(exponent log(x)), much faster than pow on a CPU
        power = torch.log(inner / EPSILON).mul_(exponent).exp_()
        gradient = (OMEGA * exponent).mul_(power).div_(inner.mul_(1 + power))
        # log(1 + x) and not log1p, which is not vectorised on CPUs: a loss rounded at 1e-6, and the slope as it is
        losses = power.add_(1).log_().mul_(OMEGA)
        near = distance < THETA
        if prediction.device.type != "cpu":
            slope, offset = _linear_branch(exponent)
            losses = torch.where(near, losses, slope * distance - offset)
            gradient = torch.where(near, gradient, slope)
        else:
            # few cells are far from their target, and a mask would be searched for them four times; a GPU would have to
            # wait for their number
            far = near.logical_not_().nonzero(as_tuple=True)
            slope, offset = _linear_branch(exponent[far])
            losses[far] = slope * distance[far] - offset
            gradient[far] = slope
        weight = foreground(target).to(prediction.dtype).mul_(FOREGROUND_WEIGHT).add_(1)
        losses.mul_(weight)
        gradient.mul_(torch.sign(error)).mul_(weight).div_(target.shape[-1] * target.shape[-2])
        ctx.save_for_backward(gradient)
        return losses.mean(dim=(2, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None, None], None


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"adaptive_wing": adaptive_wing, "mse": squared_error}


def _linear_branch(exponent: Tensor) -> tuple[Tensor, Tensor]:
    """Return A and C of the linear branch, at which value and slope are continuous at theta."""
    at_theta = torch.exp(exponent * math.log(THETA / EPSILON))
    slope = OMEGA / THETA * exponent * at_theta / (1 + at_theta)
    return slope, slope * THETA - OMEGA * torch.log(1 + at_theta)
