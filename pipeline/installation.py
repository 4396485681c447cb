"""What is installed, and on what machine: for `kdcache doctor` and the head of a report.

Nothing here imports a package to find out whether it is there, apart from torch, which knows the GPU.
"""

import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import TYPE_CHECKING, Any

from cache_tools.prefetch import usable_cpus
from pipeline.extras import EXTRA_OF
from pipeline.version import __version__

if TYPE_CHECKING:
    import torch

#: modules of every installation -> the distribution, where packages_distributions cannot say because it is missing
BASE = {
    "click": "click",
    "cv2": "opencv-python-headless",
    "google_crc32c": "google-crc32c",
    "lazy_loader": "lazy-loader",
    "numcodecs": "numcodecs",
    "numpy": "numpy",
    "simplejpeg": "simplejpeg",
    "tqdm": "tqdm",
    "yaml": "pyyaml",
    "zarr": "zarr",
}
#: what the tests of a GPU and its benchmark import beside that
GPU_CHECK = (
    "hypothesis", "pydantic", "pytest", "safetensors", "scipy", "tabulate", "tensorboard", "timm", "torch",
    "torchvision", "transformers",
)  # fmt: skip
DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


@dataclass(frozen=True)
class Package:
    """A package that kdcache uses."""

    module: str
    #: None: it is not installed
    version: str | None
    #: extra that installs it; "" for a package of every installation
    extra: str


def packages() -> list[Package]:
    """Return every package that kdcache imports, those of every installation first."""
    modules = {**dict.fromkeys(BASE, ""), **EXTRA_OF}
    return [Package(module, installed_version(module), extra) for module, extra in modules.items()]


def installed_version(module: str) -> str | None:
    """Return the version of the distribution that holds a module; None where it cannot be imported."""
    if importlib.util.find_spec(module) is None:
        return None
    names = _distributions().get(module, [BASE.get(module, module)])
    try:
        return version(names[0])
    except PackageNotFoundError:
        return "unknown"


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the distributions of each module, which takes a second to find."""
    return packages_distributions()


def missing_for_gpu_check() -> list[str]:
    """Return the modules that `make gpu` needs and that are not installed."""
    return [module for module in (*BASE, *GPU_CHECK) if importlib.util.find_spec(module) is None]


def machine(device: "torch.device") -> dict[str, Any]:
    """Return the machine and the versions that a number depends on, for the head of a report."""
    import torch

    from pipeline.costs.network import hardware_name

    facts: dict[str, Any] = {"device": hardware_name(str(device))}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "memory": f"{properties.total_memory / 2**30:.0f} GiB",
            "compute capability": f"{properties.major}.{properties.minor}",
            "driver": driver_version() or "unknown",
            "CUDA of torch": str(torch.version.cuda),
        }
    names = ("torch", "torchvision", "timm", "transformers", "numpy")
    facts |= {"cores": usable_cpus(), "Python": platform.python_version(), "kdcache": __version__}
    return facts | {name: installed_version(name) or "not installed" for name in names}


def driver_version() -> str | None:
    """Return the version of the NVIDIA driver; None without nvidia-smi or a card that it sees."""
    if shutil.which(DRIVER[0]) is None:
        return None
    ended = subprocess.run(DRIVER, capture_output=True, text=True, check=False)
    return ended.stdout.splitlines()[0].strip() if ended.returncode == 0 and ended.stdout.strip() else None
