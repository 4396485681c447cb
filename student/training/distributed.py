"""One process or many: torchrun's view of who we are, and the few things that processes must agree on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from student.device import torch_device


@dataclass(frozen=True)
class Place:
    """This process: its device, its rank and how many there are."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0


@contextmanager
def join(device: str = "auto") -> Iterator[Place]:
    """The process group that torchrun asks for (NCCL on CUDA, else gloo), or this process alone without torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Place(torch_device(device))
        return
    chosen = torch_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Place(chosen, dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def network_of(model: nn.Module, place: Place) -> nn.Module:
    """`model` as it is called in training: with gradients averaged over processes where there are several.

    Each process normalises by the statistics of its own batch; the running ones are those of the first process.
    """
    if place.world == 1:
        return model
    ids = [place.device.index] if place.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids)


def mean_labelled_joints(target_weight: Tensor, place: Place) -> Tensor | None:
    """Weighted joints of the joined batch for each process; None with one process, whose own number it is.

    Dividing by it, averaged gradients are those of the joined batch even where processes see unequal numbers of joints.
    """
    if place.world == 1:
        return None
    joints = (target_weight > 0).sum().float()
    dist.all_reduce(joints)
    return joints / place.world


def any_process(flag: bool, place: Place) -> bool:
    """Whether `flag` is set in at least one process; every process must ask at the same step."""
    if place.world == 1:
        return flag
    asked = torch.tensor(float(flag), device=place.device)
    dist.all_reduce(asked, op=dist.ReduceOp.MAX)
    return bool(asked.item())


def wait_for_all(place: Place) -> None:
    """Return when every process has come here: what the first has written is then there for the others."""
    if place.world > 1:
        dist.barrier()
