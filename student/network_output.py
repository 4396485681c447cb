"""Run a pose network and compare what it returns with what it states: a wrong array is refused, never reinterpreted."""

from typing import Any

import numpy as np

from student.pose_network import Crops, Maps, PoseNetwork

#: what numpy cannot hold or what loses nothing in float32
CONVERTED = ("float16", "bfloat16")


def heatmaps_of(network: PoseNetwork, crops: Crops, *, finite: bool = False) -> Maps:
    """Return the network's heatmaps (B, K, h, w), float32, of crops (B, H, W, 3).

    Half precision is converted. finite: also refuse NaN and infinity, which costs one pass over the heatmaps.
    Raises ValueError for another shape than the network states, for values that are not float32 or float16, and for a
    torch tensor that requires grad, which would keep the activations of every batch in memory.
    """
    maps = _array(network.name, network(crops))
    check_shape(network, maps.shape, len(crops))
    if maps.dtype.name not in ("float32", *CONVERTED):
        raise ValueError(
            f"{network.name} returns heatmaps in {maps.dtype.name}: expected float32; return maps.astype(numpy.float32)"
        )
    maps = np.asarray(maps, np.float32)
    if finite:
        check_finite(network.name, maps)
    return maps


def check_finite(name: str, maps: Maps) -> None:
    """Raise ValueError where the heatmaps (B, K, h, w) of the network `name` hold NaN or infinity."""
    if np.isfinite(maps).all():
        return
    bad = int(np.count_nonzero(~np.isfinite(maps).all(axis=(1, 2, 3))))
    raise ValueError(
        f"{name} returns NaN or infinity for {bad} of {len(maps)} crops: its weights are damaged, or its precision is "
        "too low"
    )


def check_shape(network: PoseNetwork, shape: tuple[int, ...], rows: int) -> None:
    """Raise ValueError unless heatmaps of `rows` crops have the shape (rows, K, h, w) that the network states."""
    size = tuple(network.heatmap_size)
    joints = len(network.skeleton) if network.skeleton is not None else (shape[1] if len(shape) == 4 else "K")
    expected = (rows, joints, *size)
    if shape == expected:
        return
    hint = ""
    if len(shape) == 4 and shape[1:3] == size:
        hint = "; the joints come last: return maps.transpose(0, 3, 1, 2)"
    raise ValueError(
        f"{network.name} returns heatmaps of shape {shape} for {rows} crops: expected {expected}, as its skeleton and "
        f"its heatmap_size state{hint}"
    )


def _array(name: str, returned: Any) -> np.ndarray[Any, Any]:
    """Return what a network returned as an array; a torch tensor is known by its methods, without importing torch."""
    if hasattr(returned, "detach"):
        if returned.requires_grad:
            raise ValueError(
                f"{name} returns a torch tensor that requires grad: run it under torch.inference_mode() and return "
                "maps.float().cpu().numpy()"
            )
        half = str(returned.dtype).removeprefix("torch.") in CONVERTED
        returned = (returned.float() if half else returned).cpu().numpy()
    if not isinstance(returned, np.ndarray):
        raise ValueError(f"{name} returns a {type(returned).__name__}: expected one array of heatmaps (B, K, h, w)")
    return returned
