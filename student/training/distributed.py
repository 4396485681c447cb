"""One process or several, as torchrun starts them, and the values that processes must agree on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from student.batches.shared_bytes import Gather, gather_alone
from student.device import torch_device


@dataclass(frozen=True)
class ProcessContext:
    """Place of this process among those that train together."""

    device: torch.device
    rank: int = 0
    #: number of processes
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return self.rank == 0


@contextmanager
def join(device: str | torch.device = "auto") -> Iterator[ProcessContext]:
    """Join the process group that torchrun asks for (NCCL on CUDA, else gloo); without torchrun there is one process.

    device: as in `torch_device`; of several processes with GPUs each takes that of its local rank.
    """
    chosen = torch_device(device)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ProcessContext(chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield ProcessContext(chosen, dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def data_parallel(model: nn.Module, process: ProcessContext) -> nn.Module:
    """Return `model` as training calls it: with gradients averaged over the processes where there are several.

    Each process normalises by the statistics of its own batch; the running ones are those of the first process.
    """
    if process.world == 1:
        return model
    ids = [process.device.index] if process.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids)


def mean_labelled_joints(target_weight: Tensor, process: ProcessContext) -> Tensor | None:
    """Return the mean number of weighted joints (B, 17) in a process's batch; None for one process.

    Divided by it, averaged gradients are those of the joined batch, also where processes have unequal numbers of
    joints.
    """
    if process.world == 1:
        return None
    joints = (target_weight > 0).sum().float()
    dist.all_reduce(joints)
    return joints / process.world


def largest_of_all(number: int, process: ProcessContext) -> int:
    """Return the largest of the processes' numbers; every process must call this at the same step."""
    if process.world == 1:
        return number
    largest = torch.tensor(number, device=process.device)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return int(largest.item())


def gather_from(process: ProcessContext) -> Gather:
    """Return the function by which this process and the others tell each other a value."""
    if process.world == 1:
        return gather_alone

    def gather(value: Any) -> list[Any]:
        values: list[Any] = [None] * process.world
        dist.all_gather_object(values, value)
        return values

    return gather


def wait_for_all(process: ProcessContext) -> None:
    """Wait until every process has come here: the others can then read what the first has written."""
    if process.world > 1:
        dist.barrier()
