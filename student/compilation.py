"""Whether the network of a training is compiled, and how: what `train.compile` means on a device."""

import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import torch

# the oldest GPUs for which Triton generates code
TRITON_CAPABILITY = (7, 0)
C_COMPILERS = ("cc", "gcc", "clang")
#: one launch in place of one a kernel: a batch always has the same shape
GRAPHS = "reduce-overhead"
#: shorter trainings end sooner uncompiled
WORTH_COMPILING = 5_000
#: students of one stream: torch keeps their code with `PoseStudent.forward`, and runs what is beyond a limit as it is
MOST_STUDENTS = 256

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """How networks and losses of one process are compiled."""

    #: mode of torch.compile; None: nothing is compiled
    mode: str | None
    #: why, for the log
    reason: str
    #: the device is a GPU
    fuses: bool = False

    @property
    def uses_graphs(self) -> bool:
        """Return whether the compiled network is replayed as CUDA graphs."""
        return self.mode == GRAPHS

    def network(self, module: torch.nn.Module) -> torch.nn.Module:
        """Return a network as training calls it."""
        if self.mode is None:
            return module
        # torch's limit is 8
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_STUDENTS)
        # torch types its result as any callable; a batch has one shape
        return cast(torch.nn.Module, torch.compile(module, mode=self.mode, dynamic=False))

    def elementwise(self, function: Function) -> Function:
        """Return a function of many small operations, fused where this saves memory traffic."""
        # on a CPU the operations are in place already, and some branches depend on values
        compiles = self.mode is not None and self.fuses
        return cast(Function, torch.compile(function, dynamic=False)) if compiles else function

    def __str__(self) -> str:
        """Return the choice and its reason as a message of one line."""
        chosen = {None: "not compiled", GRAPHS: "compiled, with CUDA graphs"}.get(self.mode, "compiled")
        return f"{chosen}: {self.reason}"


def choose_compilation(
    setting: bool | Literal["auto"],
    device: torch.device,
    steps: int,
    *,
    processes: int = 1,
    whole_steps: bool = False,
) -> Compilation:
    """Return what `train.compile` means on a device, for a training of so many steps.

    `auto` compiles for a GPU where everything for it is installed and the training is long. processes: several take no
    CUDA graphs, because gradients are averaged between the parts of the backward pass. whole_steps: each step is a CUDA
    graph, of which the network is a part.
    """
    fuses = device.type == "cuda"
    mode = GRAPHS if fuses and processes == 1 and not whole_steps else "default"
    if isinstance(setting, bool):
        return Compilation(
            mode=mode if setting else None, reason=f"train.compile is {str(setting).lower()}", fuses=fuses
        )
    if not fuses:
        return Compilation(mode=None, reason="train.compile is auto, which compiles for a GPU only")
    if steps < WORTH_COMPILING:
        reason = f"train.compile is auto, and {steps:,} steps are fewer than {WORTH_COMPILING:,}"
        return Compilation(mode=None, reason=reason, fuses=True)
    missing = missing_for_triton(device)
    if missing:
        return Compilation(mode=None, reason=f"train.compile is auto, but {', '.join(missing)}", fuses=True)
    return Compilation(mode=mode, reason="train.compile is auto, on a GPU", fuses=True)


def missing_for_triton(device: torch.device) -> list[str]:
    """Return what torch.compile would fail for on a GPU, one entry each; empty where everything is there."""
    missing = []
    if importlib.util.find_spec("triton") is None:
        missing.append("the package triton is not installed")
    if not os.environ.get("CC") and not any(map(shutil.which, C_COMPILERS)):
        missing.append("there is no C compiler")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append("there is no Python.h (python3-dev)")
    if torch.cuda.is_available() and torch.cuda.get_device_capability(device) < TRITON_CAPABILITY:
        found = ".".join(map(str, torch.cuda.get_device_capability(device)))
        missing.append(f"the GPU's compute capability is {found}, below 7.0")
    return missing
