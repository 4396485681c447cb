"""One training step of one student; with `train.cuda_graphs` it is replayed as one CUDA graph."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from student.batches.loader import Batch
from student.cuda_graph import GraphedFunction, Tensors, shared_pool
from student.heatmaps.sharpen import sharpen
from student.training.learner import Learner
from student.training.losses import distillation_loss


def take_step(learner: Learner, batch: Batch, labelled_joints: Tensor | None = None) -> None:
    """Take one step: total = (1 - alpha) * L(ground truth) + alpha * L(teacher)   (paper, equation 1).

    labelled_joints: of several processes, the mean number of weighted joints in a process's batch.
    """
    settings, process = learner.settings, learner.process
    # Dropout is a function of (seed, step, process): nothing of it has to be saved, and no student changes another's.
    torch.manual_seed((settings.train.seed * 1_000_003 + learner.step) * 4099 + process.rank)
    learner.set_rate(learner.step)
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    losses = _graphed_update(learner, tensors) if learner.whole_steps else _update(learner, tensors, labelled_joints)
    learner.step += 1
    if learner.ema is not None:
        learner.ema.update(learner.model, step=learner.step)
    learner.losses.add(**losses)


def _update(learner: Learner, batch: Tensors, labelled_joints: Tensor | None = None) -> Tensors:
    """Compute losses and gradients of a batch and change the weights; return the losses, detached."""
    settings, process = learner.settings, learner.process
    if learner.compilation.uses_graphs:
        # outputs of earlier steps are read no more
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch does not annotate it
    bfloat16 = settings.train.amp and process.device.type == "cuda"  # needs no loss scaling
    with torch.autocast(process.device.type, torch.bfloat16, enabled=bfloat16):
        heatmaps = learner.network(batch["images"])  # (B, 17, h, w)
    teacher = None if settings.distill.mode == "none" else batch.get("teacher_maps")
    if teacher is not None and settings.distill.sharpen != 1:
        teacher = sharpen(teacher, settings.distill.sharpen)
    loss, parts = distillation_loss(
        heatmaps, batch["targets"], batch["target_weight"], teacher, settings.distill, learner.alpha, labelled_joints,
        None if teacher is None else batch.get("teacher_weight"), batch.get("labelled"), learner.joint_losses,
    )  # fmt: skip
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    if settings.train.clip_grad is not None:
        clip_grad_norm_(learner.parameters, settings.train.clip_grad)
    learner.optimizer.step()
    # now, and not before the next backward pass: their memory is free during the forward pass
    learner.optimizer.zero_grad(set_to_none=True)
    return {"loss": loss.detach(), **parts}


def _graphed_update(learner: Learner, batch: Tensors) -> Tensors:
    """Do what `_update` does, by a graph from the learner's fourth step on."""
    device, groups = learner.process.device, learner.optimizer.param_groups
    if learner.graph is None:
        learner.graph = GraphedFunction(
            lambda tensors: _update(learner, tensors),
            device,
            pool=shared_pool(device),
            capture_inside=lambda: _capturable(learner.optimizer),
        )
        learner.rates = [torch.zeros((), device=device) for _ in groups]
    rates = [group["lr"] for group in groups]
    for group, rate, on_device in zip(groups, rates, learner.rates, strict=True):
        group["lr"] = on_device.fill_(rate)
    try:
        return learner.graph(batch)
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate


@contextmanager
def _capturable(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Let a graph capture the optimiser's step."""
    for group in optimizer.param_groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in optimizer.param_groups:
            group["capturable"] = False
