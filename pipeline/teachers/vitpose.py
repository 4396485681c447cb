"""ViTPose and ViTPose+ (Xu et al., NeurIPS 2022; TPAMI 2024) through transformers, from the hub or a local folder."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.teachers.names import VITPOSE_HUB, options_of
from student.device import dtype_on, torch_device
from student.pose_network import Crops, Maps, digest_of
from student.torch_network import run_network

FILES = ("config.json", "model*.safetensors", "model.safetensors.index.json")
HUB_LICENCE = "Apache-2.0"
OPTIONS = ("compile", "licence")
COCO_EXPERT = 0  # ViTPose+ was trained on six data sets; its dataset_index 0 is COCO
# hidden size, layers, heads, features of an expert: the paper's teachers, all with six experts and the classic head
PLUS = {
    "small": (384, 12, 12, 96),
    "base": (768, 12, 12, 192),
    "large": (1024, 24, 16, 256),
    "huge": (1280, 32, 16, 320),
}


class VitPoseTeacher:
    """ViTPose with its mixture of experts folded into a dense network, which gives the same numbers for COCO."""

    frame = "udp"
    sigma = 2.0

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        """A name of VITPOSE_HUB or a folder with config.json and safetensors; ?compile=1 for torch.compile, and for
        a folder &licence=..."""
        name, options = options_of(reference, ("compile",) if reference.partition("?")[0] in VITPOSE_HUB else OPTIONS)
        self.compiled = options.get("compile", "0") == "1"
        self.licence = HUB_LICENCE if name in VITPOSE_HUB else options.get("licence", "unstated")
        self.name = name if name in VITPOSE_HUB else Path(name).name
        self.folder = fetch(name)
        config = read_config(self.folder)
        height, width = config.backbone_config.image_size
        self.input_size = (height, width)
        self.heatmap_size = (height // 4, width // 4)  # both heads raise the patches of 16 by four
        self.folded = config.backbone_config.num_experts > 1
        self.device, self.threads = torch_device(device), threads
        self.largest = 0  # batch that was asked for so far
        self.dtype = dtype_on(self.device)

    @cached_property
    def digest(self) -> str:
        """sha256 over configuration and weights, and the name of the preprocessing."""
        files = sorted(path for pattern in FILES for path in self.folder.glob(pattern))
        return digest_of("udp, ImageNet mean and std, dataset 0", *files)

    @cached_property
    def network(self) -> nn.Module:
        """The folded network, on its device."""
        if self.threads:
            torch.set_num_threads(self.threads)
        model = fold(read_weights(self.folder)).to(self.device)
        network = Heatmaps(model).eval()
        if self.compiled:
            network.compile()
        return network

    def __call__(self, crops: Crops) -> Maps:
        """Heatmaps (B, 17, h, w) of crops (B, H, W, 3)."""
        rows = len(crops)
        self.largest = max(self.largest, rows)
        if self.compiled and rows < self.largest:  # another batch size would be compiled anew
            crops = np.concatenate([crops, np.repeat(crops[:1], self.largest - rows, axis=0)])
        return run_network(self.network, crops, self.device)[:rows]


class Heatmaps(nn.Module):
    """The model's heatmaps alone: (B, 3, H, W) normalised -> (B, 17, h, w)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """Heatmaps of the COCO expert, where there are several."""
        experts = self.model.config.backbone_config.num_experts
        index = torch.full((len(pixels),), COCO_EXPERT, device=pixels.device) if experts > 1 else None
        return self.model(pixels, dataset_index=index).heatmaps


def fold(model: Any) -> Any:
    """`model` for COCO alone, dense: each fc2 and its expert 0 become one layer. In place; exact."""
    config = model.config.backbone_config
    if config.num_experts == 1:
        return model
    from transformers.models.vitpose_backbone.modeling_vitpose_backbone import VitPoseBackboneMLP

    config.num_experts = 1
    for layer in model.backbone.encoder.layer:
        mixture, dense = layer.mlp, VitPoseBackboneMLP(config)
        expert = mixture.experts[COCO_EXPERT]
        dense.fc1, dense.activation = mixture.fc1, mixture.act
        dense.fc2.weight = nn.Parameter(torch.cat([mixture.fc2.weight, expert.weight]))
        dense.fc2.bias = nn.Parameter(torch.cat([mixture.fc2.bias, expert.bias]))
        layer.mlp, layer.num_experts = dense, 1
    return model


def plus_network(size: str) -> nn.Module:
    """The paper's teacher of that size with all its experts, on the meta device: for its costs, without weights."""
    from transformers import AutoConfig, VitPoseForPoseEstimation

    hidden, layers, heads, part = PLUS[size]
    backbone = {
        "model_type": "vitpose_backbone", "hidden_size": hidden, "num_hidden_layers": layers, "num_experts": 6,
        "num_attention_heads": heads, "part_features": part, "out_indices": [layers],
    }  # fmt: skip
    config: Any = AutoConfig.for_model("vitpose", backbone_config=backbone, num_labels=17, use_simple_decoder=False)
    config._attn_implementation = "eager"  # the counter knows its operations
    with torch.device("meta"):
        return Heatmaps(VitPoseForPoseEstimation(config)).eval()


def fetch(name: str) -> Path:
    """The folder that holds the weights: a local one, or the hub's, downloaded once; OSError says how to get them."""
    if name not in VITPOSE_HUB:
        folder = Path(name)
        missing = [what for what in ("config.json", "model*.safetensors") if not list(folder.glob(what))]
        if missing:
            raise FileNotFoundError(
                f"{folder} is no ViTPose folder: it has no {' and no '.join(missing)}; get one with "
                f"`hf download {VITPOSE_HUB['vitpose-plus-base']} --local-dir FOLDER`"
            )
        return folder
    from huggingface_hub import snapshot_download

    patterns = list(FILES)
    try:
        return Path(snapshot_download(VITPOSE_HUB[name], allow_patterns=patterns, local_files_only=True))
    except OSError:  # not in the cache yet
        pass
    try:
        return Path(snapshot_download(VITPOSE_HUB[name], allow_patterns=patterns))
    except Exception as error:  # the hub client's own kinds, httpx's and OSError
        raise OSError(
            f"the weights of {name} could not be downloaded ({type(error).__name__}: {error}). "
            f"Where there is a network: `hf download {VITPOSE_HUB[name]} --local-dir {name}`, "
            f"then --teacher vitpose:{name}"
        ) from error


def read_config(folder: Path) -> Any:
    """The VitPoseConfig of a folder; ValueError where it is another model's or not COCO's seventeen keypoints."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "vitpose" or config.num_labels != 17:
        raise ValueError(
            f"{folder}/config.json describes a {config.model_type!r} with {config.num_labels} outputs: "
            "expected a 'vitpose' with COCO's 17 keypoints"
        )
    return config


def read_weights(folder: Path) -> Any:
    """The model with the folder's weights; ValueError where they do not fill it, so that nothing of it stays random."""
    from transformers import VitPoseForPoseEstimation

    loaded: Any = VitPoseForPoseEstimation.from_pretrained(
        folder, config=read_config(folder), output_loading_info=True, ignore_mismatched_sizes=True
    )
    model, report = loaded
    wrong = sorted({*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])})
    if wrong:
        raise ValueError(
            f"the weights in {folder} do not fit its config.json: {len(wrong)} tensors are missing or of another "
            f"shape, {wrong[0]} first; download the folder again"
        )
    return model
