"""Functions of tensors of fixed shapes, replayed as CUDA graphs: the host starts one launch in place of hundreds."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

#: calls before the capture: kernels are chosen, constants come to the device, an optimiser makes its state
WARM_UPS = 3
#: named tensors
Tensors = dict[str, Tensor]


class GraphedFunction:
    """A function from named tensors to named tensors on a GPU; after its first calls it is replayed as one CUDA graph.

    The shapes of all calls must be equal, and whatever else the function reads must stay where it is in memory. It may
    change other tensors in place. A replay takes random numbers from the generator, as a call does.
    """

    def __init__(
        self,
        function: Callable[[Tensors], Tensors],
        device: torch.device,
        *,
        pool: Any = None,
        capture_inside: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Call nothing yet.

        pool: memory that the graph shares with others, none of which may run at the same time. capture_inside: entered
        around the capture.
        """
        self._function, self._device, self._pool, self._capture_inside = function, device, pool, capture_inside
        self._calls = 0
        # torch has no types for streams
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._arguments: Tensors = {}
        self._results: Tensors = {}

    @property
    def captured(self) -> bool:
        """Return whether calls are replays now."""
        return self._graph is not None

    def __call__(self, arguments: Mapping[str, Tensor], copied: Callable[[], object] | None = None) -> Tensors:
        """Return new tensors with the function's results; arguments may be on the CPU, pinned.

        copied: called when the arguments have been read by the current stream's last operation.
        """
        self._calls += 1
        if self._calls <= WARM_UPS:
            return self._warm_up(arguments, copied)
        if self._graph is None:
            self._arguments = {
                name: torch.empty_like(tensor, device=self._device, pin_memory=False)
                for name, tensor in arguments.items()
            }
        for name, tensor in arguments.items():
            self._arguments[name].copy_(tensor, non_blocking=True)
        if copied is not None:
            copied()
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        self._graph.replay()
        return {name: tensor.clone() for name, tensor in self._results.items()}

    def _warm_up(self, arguments: Mapping[str, Tensor], copied: Callable[[], object] | None) -> Tensors:
        """Call the function as it is, on a stream of its own, as a capture will."""
        current = torch.cuda.current_stream(self._device)
        on_device = {name: tensor.to(self._device, non_blocking=True) for name, tensor in arguments.items()}
        if copied is not None:
            copied()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            results = self._function(on_device)
        current.wait_stream(self._stream)
        for tensor in on_device.values():
            tensor.record_stream(self._stream)
        for tensor in results.values():
            tensor.record_stream(current)
        return results

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        # other threads may call CUDA meanwhile: the loader's wait for copies
        capture = torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local")
        with self._capture_inside(), capture:
            self._results = self._function(self._arguments)
        self._graph = graph


@cache
def shared_pool(device: torch.device) -> Any:
    """Return torch's handle of the memory of graphs that run one after another: the students of one stream."""
    with torch.cuda.device(device):
        return torch.cuda.graph_pool_handle()
