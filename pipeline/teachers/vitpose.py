"""ViTPose and ViTPose+ (Xu et al., NeurIPS 2022; TPAMI 2024) by transformers, from the hub or a local folder."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cache_tools.skeletons import COCO, Skeleton, matching_joints, skeleton_of_category
from pipeline.teachers.names import VITPOSE_HUB, options_of
from pipeline.teachers.values import VALUE_OPTIONS, Values, named
from pipeline.teachers.vitpose_files import check_preprocessor, weight_files
from student.device import dtype_on, torch_device
from student.pose_network import Crops, Maps, digest_of
from student.torch_network import for_inference, run_on_device
from student.torch_versions import on_meta_device

FILES = ("config.json", "model*.safetensors", "model.safetensors.index.json")
HUB_LICENCE = "Apache-2.0"
OPTIONS = ("compile", *VALUE_OPTIONS)
FOLDER_OPTIONS = (*OPTIONS, "licence")
#: ViTPose+ was trained on six data sets; its dataset_index 0 is COCO
COCO_EXPERT = 0
#: hidden size, layers, heads, features of an expert: the paper's teachers, all with six experts and the classic head
PLUS_SIZES = {
    "small": (384, 12, 12, 96),
    "base": (768, 12, 12, 192),
    "large": (1024, 24, 16, 256),
    "huge": (1280, 32, 16, 320),
}


class VitPoseTeacher:
    """ViTPose with its mixture of experts folded into a dense network, which gives the same numbers for COCO."""

    frame = "udp"
    sigma = 2.0
    joints: tuple[str | None, ...] | None = None

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        """Find a name of VITPOSE_HUB, or a folder with config.json and safetensors, and read its configuration.

        reference: ?compile=1 for torch.compile, ?scale, ?activation and ?beta (pipeline/teachers/values.py), and for a
        folder ?licence=... Raises ValueError for unknown options and for a folder of another model, OSError for weights
        that are missing and cannot be downloaded.
        """
        on_hub = reference.partition("?")[0] in VITPOSE_HUB
        name, options = options_of(reference, OPTIONS if on_hub else FOLDER_OPTIONS)
        compiled = options.get("compile", "0")
        if compiled not in ("0", "1"):
            raise ValueError(f"teacher {reference}: compile is {compiled!r}: expected 0 or 1")
        self.compiled = compiled == "1"
        self.licence = HUB_LICENCE if on_hub else options.get("licence", "unstated")
        self.values = Values.of(reference, options)
        self.name = named(name if on_hub else Path(name).name, self.values)
        self.folder = weights_folder(name)
        check_preprocessor(self.folder)
        # a missing part is an error now, and not when the weights are first needed
        weight_files(self.folder)
        config = read_config(self.folder)
        height, width = config.backbone_config.image_size
        self.input_size = (height, width)
        # both heads enlarge the patches of 16 pixels by four
        self.heatmap_size = (height // 4, width // 4)
        try:
            self.skeleton = skeleton_of_labels(config.id2label)
        except ValueError as problem:
            raise ValueError(f"teacher {reference}: {problem}") from None
        self.folded = config.backbone_config.num_experts > 1
        self.device, self.threads = torch_device(device), threads
        #: batch so far
        self.largest = 0
        self.dtype = dtype_on(self.device)

    @cached_property
    def digest(self) -> str:
        """Return the sha256 over configuration and weights, and the name of the preprocessing."""
        files = sorted(path for pattern in FILES for path in self.folder.glob(pattern))
        # an index may name other files than those of the pattern
        files += sorted(set(weight_files(self.folder)) - set(files))
        return digest_of("udp, ImageNet mean and std, dataset 0", *files, *self.values.digest_parts(self.sigma))

    @cached_property
    def network(self) -> nn.Module:
        """Return the folded network, on its device; its weights are read here."""
        if self.threads:
            torch.set_num_threads(self.threads)
        network = for_inference(Heatmaps(fold(read_weights(self.folder))), self.device)
        if self.compiled:
            # the probe of a build is smaller than its batches, and after two sizes torch would compile for any size
            network.compile(dynamic=False)
        return network

    def maps_on_device(self, crops: Tensor) -> Tensor:
        """Return heatmaps (B, K, h, w), float32, on its device, of uint8 crops (B, H, W, 3) on any device."""
        rows = len(crops)
        self.largest = max(self.largest, rows)
        # another batch size would be compiled again
        if self.compiled and rows < self.largest:
            crops = torch.cat([crops, crops[:1].expand(self.largest - rows, -1, -1, -1)])
        maps = run_on_device(self.network, crops, self.device)[:rows]
        if not self.values.text():
            return maps
        return torch.from_numpy(self.values.apply(maps.cpu().numpy(), self.sigma)).to(self.device)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        maps: Maps = self.maps_on_device(torch.from_numpy(crops)).cpu().numpy()
        return maps


class Heatmaps(nn.Module):
    """A transformers model, from normalised crops (B, 3, H, W) to heatmaps (B, K, h, w) only."""

    def __init__(self, model: Any) -> None:
        """Wrap a VitPoseForPoseEstimation."""
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the heatmaps, of the COCO expert where there are several."""
        experts = self.model.config.backbone_config.num_experts
        index = torch.full((len(pixels),), COCO_EXPERT, device=pixels.device) if experts > 1 else None
        heatmaps: Tensor = self.model(pixels, dataset_index=index).heatmaps
        return heatmaps


def fold(model: Any) -> Any:
    """Return `model` for COCO only, dense: each fc2 and its expert 0 become one layer. In place; exact."""
    config = model.config.backbone_config
    if config.num_experts == 1:
        return model
    from transformers.models.vitpose_backbone.modeling_vitpose_backbone import VitPoseBackboneMLP

    config.num_experts = 1
    for layer in model.backbone.encoder.layer:
        mixture = layer.mlp
        # every weight is replaced: random ones would take seconds in a large network
        with on_meta_device():
            dense = VitPoseBackboneMLP(config)
        expert = mixture.experts[COCO_EXPERT]
        dense.fc1, dense.activation = mixture.fc1, mixture.act
        dense.fc2.weight = nn.Parameter(torch.cat([mixture.fc2.weight, expert.weight]))
        dense.fc2.bias = nn.Parameter(torch.cat([mixture.fc2.bias, expert.bias]))
        layer.mlp, layer.num_experts = dense, 1
    return model


def plus_network(size: str | tuple[int, int, int, int], *, fused_attention: bool = False) -> nn.Module:
    """Return the paper's teacher of a size with all its experts, on the meta device, which is enough for its costs.

    size: a name of PLUS_SIZES, or numbers as there.
    fused_attention: attention by one kernel, as in a teacher that runs; without it, by operations that a counter of
    floating-point operations knows.
    """
    from transformers import AutoConfig, VitPoseForPoseEstimation

    hidden, layers, heads, part = PLUS_SIZES[size] if isinstance(size, str) else size
    backbone = {
        "model_type": "vitpose_backbone", "hidden_size": hidden, "num_hidden_layers": layers, "num_experts": 6,
        "num_attention_heads": heads, "part_features": part, "out_indices": [layers],
    }  # fmt: skip
    config: Any = AutoConfig.for_model("vitpose", backbone_config=backbone, num_labels=17, use_simple_decoder=False)
    if not fused_attention:
        config._attn_implementation = "eager"
    with on_meta_device():
        return Heatmaps(VitPoseForPoseEstimation(config)).eval()


def weights_folder(name: str) -> Path:
    """Return the folder that holds the weights, a local one or the hub's, which is downloaded once; OSError without."""
    if name not in VITPOSE_HUB:
        folder = Path(name)
        missing = [pattern for pattern in ("config.json", "model*.safetensors") if not list(folder.glob(pattern))]
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
    except OSError:
        # not in the cache yet
        pass
    try:
        return Path(snapshot_download(VITPOSE_HUB[name], allow_patterns=patterns))
    except Exception as error:
        # the hub client has exceptions of its own, beside httpx's and OSError
        raise OSError(
            f"the weights of {name} could not be downloaded ({type(error).__name__}: {error}). "
            f"Where there is a network: `hf download {VITPOSE_HUB[name]} --local-dir {name}`, "
            f"then --teacher vitpose:{name}"
        ) from error


def read_config(folder: Path) -> Any:
    """Return the VitPoseConfig of a folder; ValueError for another model."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "vitpose":
        raise ValueError(f"{folder}/config.json describes a {config.model_type!r}: expected a 'vitpose'")
    return config


def skeleton_of_labels(labels: Mapping[int, str]) -> Skeleton | None:
    """Return the joints that a configuration's `id2label` names, COCO's where it only numbers 17.

    The hub's own networks write COCO's joints in another spelling (L_Eye), or number them (LABEL_0).
    Raises ValueError where it numbers another count.
    """
    names = [labels[number] for number in sorted(labels)]
    numbered = all(re.fullmatch(r"LABEL_\d+", name) for name in names)
    if len(names) == len(COCO) and (numbered or matching_joints(names, COCO.names) == tuple(range(len(COCO)))):
        return COCO
    if numbered:
        raise ValueError(f"its config.json does not name the joints of its {len(names)} outputs in id2label")
    return skeleton_of_category({"name": "vitpose", "keypoints": names})


def read_weights(folder: Path) -> Any:
    """Return the model with the folder's weights; ValueError where a part of it would stay random."""
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
