"""Extras of the package: which one brings a module that a command needs.

`pip install kdcache` is enough to read a store. Other packages are imported only where they are used, and the command
line answers a missing one with one line that names the extra to install.
"""

#: Module -> the extra that installs it. pyproject.toml declares the same.
EXTRA_OF = {
    "aiohttp": "cloud",
    "cloudpickle": "cluster",
    "cryptography": "cluster",
    "dask": "cluster",
    "distributed": "cluster",
    "fsspec": "cloud",
    "huggingface_hub": "vitpose",
    "matplotlib": "report",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
    "pycocotools": "train",
    "pydantic": "train",
    "safetensors": "train",
    "scipy": "report",
    "snakemake": "workflow",
    "tabulate": "train",
    "tensorboard": "train",
    "timm": "train",
    "torch": "train",
    "torchvision": "train",
    "transformers": "vitpose",
}


#: Command -> the extra that it needs, where this is not `train`, which every other extra brings as well.
EXTRA_OF_COMMAND = {
    "demo": "workflow",
    "export": "export",
    "fidelity": "report",
    "hka": "report",
    "report": "report",
    "run": "workflow",
}


def advice(error: ModuleNotFoundError, command: str | None = None) -> str | None:
    """Return one line that says what to install for a missing module; None where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if extra is None:
        return None
    if extra == "train":
        extra = EXTRA_OF_COMMAND.get(command or "", extra)
    return f"this needs the package {module!r}, which is not installed: pip install 'kdcache[{extra}]'"
