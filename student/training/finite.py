"""Whether every number of a state is finite: what is not is never saved."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def is_finite(state: object) -> bool:
    """Return whether the floating-point tensors in nested mappings and lists are all finite.

    Waits for the device.
    """
    flags: dict[torch.device, list[Tensor]] = {}
    for tensor in _tensors(state):
        flags.setdefault(tensor.device, []).append(torch.isfinite(tensor).all())
    return all(bool(torch.stack(of_device).all()) for of_device in flags.values())


def _tensors(state: object) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        if state.is_floating_point():
            yield state
    elif isinstance(state, Mapping):
        for part in state.values():
            yield from _tensors(part)
    elif isinstance(state, (list, tuple)):
        for part in state:
            yield from _tensors(part)
