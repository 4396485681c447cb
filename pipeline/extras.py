"""Extras of the package: which one brings a module that a command needs.

`pip install kdcache` is enough to read a store. What needs more is imported only where it runs, and the command line turns
a module that is not there into one line that names the extra to install.
"""

#: Module -> the extra that installs it. pyproject.toml declares the same.
EXTRA_OF = {
    "dask": "cluster",
    "distributed": "cluster",
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


def advice(error: ModuleNotFoundError) -> str | None:
    """Return one line that says what to install for a missing module; None where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if extra is None:
        return None
    return f"this needs the package {module!r}, which is not installed: pip install 'kdcache[{extra}]'"
