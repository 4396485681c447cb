"""Exponential moving average of a network's weights and statistics."""

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

#: tensors of the average, and those of the network in the same order
Columns = tuple[list[Tensor], list[Tensor]]


class WeightAverage(ModelEmaV3):
    """timm's average, with the tensors found once and all of them updated by two calls.

    timm reads two state_dicts a step and copies each counter of a normalisation layer by a call of its own: a few
    hundred launches on a GPU. The numbers are timm's. The tensors of both networks must stay where they are.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start with the weights of `model`."""
        super().__init__(model, decay=decay, use_warmup=True)
        self._columns: tuple[Columns, Columns] | None = None

    @torch.no_grad()
    def apply_update_(self, model: nn.Module, decay: float) -> None:
        """Move the average towards the weights by the share 1 - `decay`; copy what is counted."""
        if self._columns is None:
            pairs = list(zip(self.module.state_dict().values(), model.state_dict().values(), strict=True))
            averaged = [pair for pair in pairs if pair[0].is_floating_point()]
            counted = [pair for pair in pairs if not pair[0].is_floating_point()]
            self._columns = _columns(averaged), _columns(counted)
        (averages, weights), (counters, counts) = self._columns
        torch._foreach_lerp_(averages, weights, weight=1.0 - decay)
        if counters:
            torch._foreach_copy_(counters, counts)


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> Columns:
    return [first for first, _ in pairs], [second for _, second in pairs]
