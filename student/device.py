"""The device that tensors are on: how a name picks it, what it is called, in which precision it computes."""

import torch


def torch_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda` or `cuda:N` names; `auto` is a GPU where there is one.

    Raises ValueError for a name that torch does not know and for a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"unknown device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(
                f"device {str(name)!r} was requested, but torch {torch.__version__} finds no CUDA device: use cpu"
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise ValueError(
                f"device {str(name)!r} was requested, but there are {torch.cuda.device_count()} CUDA devices: "
                "count from cuda:0"
            )
    return device


def dtype_on(device: torch.device) -> str:
    """Return the precision that networks run in: bfloat16 on CUDA, where it is several times as fast, else float32."""
    return "bfloat16" if device.type == "cuda" else "float32"


def device_name(device: torch.device) -> str:
    """Return the GPU's name, or the number of threads that torch uses on the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
