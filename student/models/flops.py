"""The costs of one image in a network: parameters, multiply-accumulates, and the "GFlops" of the paper's Table 1.

Table 1 counts 2 for each multiply-accumulate of a convolution or linear layer, 1 for each element of their bias, 2 for
each of a batch norm, 5 for each of a layer norm, 1 for each of an activation, sum or product, 1 for each *input*
element of a pooling, and nothing inside an attention product. (The package calflops counts almost the same.) Plain
2 x multiply-accumulates misses five of its fourteen students by up to 0.11. Other tables print multiply-accumulates and
call them FLOPs: `macs` is for those, and includes the attention products.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from student.models.network_mode import evaluation_mode

ELEMENTWISE = {"relu", "relu6", "hardtanh", "hardswish", "silu", "sigmoid", "gelu", "add", "mul"}


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of one image as whole numbers; the properties give the units of the tables."""

    params: int
    macs: int
    table1_flops: int

    @property
    def params_m(self) -> float:
        """Parameters in millions."""
        return self.params / 1e6

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates in 10^9."""
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """Operations in 10^9 by Table 1's counter, which is not 2 x gmacs."""
        return self.table1_flops / 1e9


def count_costs(model: nn.Module, input_size: tuple[int, int], **inputs: Any) -> Costs:
    """Return the costs of one RGB image of `input_size` (height, width) in evaluation mode.

    Counts on the meta device, without any arithmetic. `inputs` are further keyword arguments of the model's forward;
    tensors among them must be on the meta device.
    """
    state: dict[str, Tensor] = {name: p.detach().to("meta") for name, p in model.named_parameters()}
    state |= {name: b.to("meta") for name, b in model.named_buffers()}
    image = torch.empty(1, 3, *input_size, device="meta")
    with torch.no_grad(), evaluation_mode(model), _Counter() as counter, _AttentionMarker(counter):
        functional_call(model, state, (image,), inputs)
    params = sum(p.numel() for p in model.parameters())
    return Costs(params=params, macs=counter.macs, table1_flops=counter.table1_flops)


# torch's dispatch modes have no types
class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the costs of every operator that runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.table1_flops = 0
        self.in_attention = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.overloadpacket in flop_registry:
            self.macs += flop_registry[func.overloadpacket](*args, **kwargs, out_val=out) // 2
        if not self.in_attention:
            self.table1_flops += _table1_flops(func.overloadpacket.__name__.strip("_"), args, out)
        return out


class _AttentionMarker(TorchFunctionMode):
    """Tells the counter that it is inside an attention product, however this device decomposes it."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counter.in_attention = func is nn.functional.scaled_dot_product_attention
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.counter.in_attention = False


def _table1_flops(operator: str, args: Any, out: Any) -> int:
    first = out[0] if isinstance(out, tuple | list) else out
    size = prod(first.shape) if isinstance(first, Tensor) else 0
    if operator == "convolution":
        image, weight, bias, transposed = args[0], args[1], args[2], args[6]
        products = conv_flop_count(image.shape, weight.shape, first.shape, transposed=transposed)
        return products if bias is None else products + size
    if operator == "addmm":
        return 2 * size * int(args[1].shape[-1]) + size
    if "batch_norm" in operator:
        return 2 * size
    if "layer_norm" in operator:
        return 5 * size
    if "pool" in operator or operator == "mean":
        return int(args[0].numel())
    if operator == "softmax":
        # `_softmax` of eager attention: takes back the scaling of its scores, which is inside the attention product
        return -size
    return size if operator in ELEMENTWISE else 0
