"""Run a torch network on person crops: the part that students and ViTPose share.

Crops go to the network's device as uint8 and become its input there; heatmaps stay there until somebody needs numpy.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from student.device import dtype_on
from student.network_output import check_finite, check_shape, heatmaps_of
from student.normalise import normalise
from student.pose_network import Crops, Maps, PoseNetwork

Network = TypeVar("Network", bound=nn.Module)
#: layers that autocast runs in bfloat16, by matrix products
PRODUCTS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@runtime_checkable
class OnDevice(Protocol):
    """A `PoseNetwork` that can leave its heatmaps where it made them."""

    @property
    def name(self) -> str:
        """Return the name that tables and stores give it."""

    @property
    def device(self) -> torch.device:
        """Return the device that it runs on."""

    def maps_on_device(self, crops: Tensor) -> Tensor:
        """Return heatmaps (B, K, h, w), float32, on its device, of uint8 crops (B, H, W, 3) on any device."""


def maps_of(network: PoseNetwork, crops: Crops | Tensor, *, finite: bool = False) -> Tensor:
    """Return heatmaps (B, K, h, w), float32, of crops (B, H, W, 3): on the network's device, or on the CPU.

    finite: also refuse NaN and infinity; not on a GPU, which the host would have to wait for.
    Raises ValueError for heatmaps that are not those that the network states.
    """
    if not isinstance(network, OnDevice):
        pixels = crops.cpu().numpy() if isinstance(crops, Tensor) else crops
        return torch.from_numpy(heatmaps_of(network, pixels, finite=finite))
    maps = network.maps_on_device(crops if isinstance(crops, Tensor) else torch.from_numpy(crops))
    check_shape(network, tuple(maps.shape), len(crops))
    if finite and maps.device.type == "cpu":
        check_finite(network.name, maps.numpy())
    return maps


@torch.no_grad()  # and not inference mode: a live teacher's maps become part of a loss
def run_on_device(network: Callable[[Tensor], Tensor], crops: Tensor, device: torch.device) -> Tensor:
    """Return heatmaps (B, K, h, w), float32, on `device`, of uint8 crops (B, H, W, 3) by a network there."""
    pixels = normalise(crops.to(device, non_blocking=True))  # (B, 3, H, W)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype_on(device) == "bfloat16"):
        maps = network(pixels)
    # of CUDA graphs the output is overwritten by the next pass
    return maps.to(torch.float32, copy=device.type == "cuda")


def run_network(network: Callable[[Tensor], Tensor], crops: Crops, device: torch.device) -> Maps:
    """Return heatmaps (B, K, h, w), float32, of crops (B, H, W, 3) by a network on `device`."""
    maps: Maps = run_on_device(network, torch.from_numpy(crops), device).cpu().numpy()
    return maps


def for_inference(network: Network, device: torch.device) -> Network:
    """Move a network to `device`, in evaluation mode and, on a GPU, in the memory format and the types that it uses.

    Autocast would convert the weights of each layer at each pass: the same numbers, more launches and memory traffic.
    """
    network = network.to(device).eval()
    if dtype_on(device) == "bfloat16":
        network = network.to(memory_format=torch.channels_last)
        products_in_bfloat16(network)
    return network


def products_in_bfloat16(network: nn.Module) -> None:
    """Convert the weights of matrix products to bfloat16, in place; normalisation layers stay in float32."""
    for layer in network.modules():
        if isinstance(layer, PRODUCTS):
            layer.to(torch.bfloat16)
