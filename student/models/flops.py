"""What one image costs a network: parameters, multiply-accumulates, and the "GFlops" of the paper's Table 1.

Table 1 counts 2 for each multiply-accumulate of a convolution or linear layer, 1 for each element of their bias, 2 for
each of a batch norm, 5 for each of a layer norm, 1 for each of an activation, sum or product, 1 for each *input*
element of a pooling, and nothing inside an attention product. (The package calflops counts almost so.) Twice the
multiply-accumulates alone misses five of its fourteen students by up to 0.11. Other tables print multiply-accumulates
and call them FLOPs: `macs` is for those, and has the attention products in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

ELEMENTWISE = {"relu", "relu6", "hardtanh", "hardswish", "silu", "sigmoid", "gelu", "add", "mul"}


@dataclass(frozen=True)
class Costs:
    """Of one image, in units; the tables print millions and thousands of millions (10^9)."""

    params: int
    macs: int
    table1_flops: int

    @property
    def params_m(self) -> float:
        return self.params / 1e6

    @property
    def gmacs(self) -> float:
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """By Table 1's counter, not 2 x gmacs."""
        return self.table1_flops / 1e9


def count_costs(model: nn.Module, input_size: tuple[int, int], **inputs: Any) -> Costs:
    """Costs of one RGB image of `input_size` (height, width) in evaluation; counted on the meta device, so at no cost.

    `inputs` are further keyword arguments of the model's forward; tensors among them must be on the meta device.
    """
    state: dict[str, Tensor] = {name: p.detach().to("meta") for name, p in model.named_parameters()}
    state |= {name: b.to("meta") for name, b in model.named_buffers()}
    image = torch.empty(1, 3, *input_size, device="meta")
    with torch.no_grad(), evaluation(model), _Counter() as counter, _Attention(counter):
        functional_call(model, state, (image,), inputs)
    return Costs(sum(p.numel() for p in model.parameters()), counter.macs, counter.table1_flops)


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each module's own mode again after."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.table1_flops = 0
        self.in_attention = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.overloadpacket in flop_registry:
            self.macs += flop_registry[func.overloadpacket](*args, **kwargs, out_val=out) // 2
        if not self.in_attention:
            self.table1_flops += _table1(func.overloadpacket.__name__.strip("_"), args, out)
        return out


class _Attention(TorchFunctionMode):
    """Tells the counter that it is inside an attention product, however that is decomposed on this device."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counter.in_attention = func is nn.functional.scaled_dot_product_attention
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.counter.in_attention = False


def _table1(operator: str, args: Any, out: Any) -> int:
    first = out[0] if isinstance(out, tuple | list) else out
    size = prod(first.shape) if isinstance(first, Tensor) else 0
    if operator == "convolution":
        image, weight, bias, transposed = args[0], args[1], args[2], args[6]
        return (
            conv_flop_count(image.shape, weight.shape, first.shape, transposed=transposed) + (bias is not None) * size
        )
    if operator == "addmm":
        return 2 * size * args[1].shape[-1] + size
    if "batch_norm" in operator:
        return 2 * size
    if "layer_norm" in operator:
        return 5 * size
    if "pool" in operator or operator == "mean":
        return int(args[0].numel())
    if operator == "softmax":  # `_softmax` of eager attention: its scores were scaled, which is inside the product
        return -size
    return size if operator in ELEMENTWISE else 0
