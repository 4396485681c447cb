"""Any pose network in an ONNX file."""

import json
import math
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache_tools.geometry import FRAMES
from cache_tools.skeletons import COCO, Skeleton, load_skeleton, skeleton_of_category
from pipeline.teachers.names import options_of
from student.pose_network import Crops, Maps, digest_of

#: of ImageNet, RGB in [0, 1]; student/normalise.py has the same, but would import torch
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
OPTIONS = ("frame", "input", "sigma", "licence", "skeleton")
CUDA = "CUDAExecutionProvider"


class OnnxTeacher:
    """An ONNX graph from float32 (B, 3, H, W) by ImageNet mean and std, or uint8 (B, H, W, 3), to (B, K, h, w)."""

    joints: tuple[str | None, ...] | None = None

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        """Open FILE?frame=udp|stride[&input=256x192][&sigma=2][&licence=...][&skeleton=NAME|FILE].

        The file's metadata may state them, too.
        Raises FileNotFoundError for a missing file, ValueError for a file that is no pose network, for options that
        are unknown, wrong or missing, and for a device that onnxruntime does not have.
        """
        name, options = options_of(reference, OPTIONS)
        self.path = Path(name)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no ONNX file {self.path.absolute()}")
        self.session = open_session(self.path, device, threads)
        # `kdcache export` writes frame and sigma into its files
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.frame = options.get("frame", metadata.get("frame", ""))
        if self.frame not in FRAMES:
            raise ValueError(
                f"onnx:{reference}: say where its heatmap cells lie, with ?frame=udp (ViTPose, MMPose's UDP: the "
                "outermost cells are the outermost pixels) or ?frame=stride (HRNet, TinyPose: cell "
                "(i, j) is pixel (4i, 4j)). The wrong one costs about 2 AP, therefore it is not guessed"
            )
        self.name = self.path.stem
        self.sigma = _sigma(reference, options.get("sigma", metadata.get("sigma", "2")))
        self.licence = options.get("licence", metadata.get("licence", "unstated"))
        self.device = "cuda" if CUDA in self.session.get_providers() else "cpu"
        self.input = self.session.get_inputs()[0]
        #: the graph takes uint8 crops, and normalises them itself
        self.takes_bytes = self.input.type == "tensor(uint8)"
        #: the only batch size that the graph takes; None: any
        self.batch = self.input.shape[0] if isinstance(self.input.shape[0], int) else None
        self.input_size = self._input_size(reference, options.get("input"))
        joints, height, width = self._output_shape()
        self.heatmap_size = (height, width)
        self.skeleton = _skeleton(reference, options.get("skeleton"), metadata, joints)

    @cached_property
    def digest(self) -> str:
        """Return the sha256 over the file, its preprocessing and its frame."""
        return digest_of(self.path, "bytes" if self.takes_bytes else "ImageNet mean and std", self.frame)

    @cached_property
    def graph(self) -> Any:
        """Return the file's graph, without weights that lie in files beside it."""
        import onnx

        return onnx.load(self.path, load_external_data=False).graph

    @property
    def dtype(self) -> str:
        """Return "int8" where the graph quantises its activations, else "float32"."""
        return "int8" if any(node.op_type == "QuantizeLinear" for node in self.graph.node) else "float32"

    @property
    def parameters(self) -> int:
        """Return the count of numbers in the file's initialisers, without int64 ones, which are shapes and indices."""
        import onnx

        weights = (tensor for tensor in self.graph.initializer if tensor.data_type != onnx.TensorProto.INT64)
        return sum(math.prod(weight.dims) for weight in weights)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        step = self.batch or len(crops)
        parts = [self._run(crops[start : start + step]) for start in range(0, len(crops), step)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _run(self, crops: Crops) -> Maps:
        rows = len(crops)
        if self.batch and rows < self.batch:
            crops = np.concatenate([crops, np.repeat(crops[:1], self.batch - rows, axis=0)])
        pixels: NDArray[Any] = crops
        if not self.takes_bytes:
            pixels = crops * (1 / (255 * STD)) - MEAN / STD
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return np.asarray(self.session.run(None, {self.input.name: pixels})[0][:rows], np.float32)

    def _input_size(self, reference: str, stated: str | None) -> tuple[int, int]:
        shape = self.input.shape[1:3] if self.takes_bytes else self.input.shape[2:4]
        if len(shape) == 2 and all(isinstance(side, int) for side in shape):
            return shape[0], shape[1]
        if stated is None:
            raise ValueError(f"{self.path} takes crops of any size: state one, as in onnx:{self.path}?input=256x192")
        size = re.fullmatch(r"(\d+)x(\d+)", stated)
        if size is None:
            raise ValueError(f"onnx:{reference}: input is {stated!r}: expected HEIGHTxWIDTH, as in input=256x192")
        return int(size[1]), int(size[2])

    def _output_shape(self) -> tuple[int, int, int]:
        shape: Any = self.session.get_outputs()[0].shape
        # where the file does not state it, one crop shows it
        if not all(isinstance(side, int) for side in shape[1:]):
            shape = self(np.zeros((1, *self.input_size, 3), np.uint8)).shape
        if len(shape) != 4:
            raise ValueError(f"the first output of {self.path} has shape {tuple(shape)}: expected (B, K, h, w)")
        return shape[1], shape[2], shape[3]


def _skeleton(reference: str, stated: str | None, metadata: dict[str, str], joints: int) -> Skeleton | None:
    """Return the joints that an option or the metadata state; None where neither does and there are 17.

    `kdcache export` writes `skeleton`, and before version 0.2 only the names. ValueError for another number of joints.
    """
    skeleton = None
    if stated is not None:
        skeleton = load_skeleton(stated)
    elif "skeleton" in metadata:
        skeleton = Skeleton.from_json(json.loads(metadata["skeleton"]))
    elif "keypoints" in metadata:
        skeleton = skeleton_of_category({"keypoints": json.loads(metadata["keypoints"])})
    if skeleton is None and joints != len(COCO):
        raise ValueError(
            f"onnx:{reference} has {joints} heatmaps and does not say of which joints: state them with ?skeleton=NAME "
            "or ?skeleton=FILE.yaml"
        )
    if skeleton is not None and len(skeleton) != joints:
        raise ValueError(
            f"onnx:{reference} has {joints} heatmaps, skeleton {skeleton.name} has {len(skeleton)} joints: state the "
            "right one with ?skeleton=NAME or ?skeleton=FILE.yaml"
        )
    return skeleton


def open_session(path: Path, device: str, threads: int | None) -> Any:
    """Return an onnxruntime.InferenceSession; ValueError for a file or a device that it cannot use."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # threads that wait for work sleep, because others decode photos in the meantime
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # errors only
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers(device))
    except Exception as error:
        # onnxruntime's exceptions have no common public base
        raise ValueError(f"{path} is not an ONNX file that onnxruntime runs: {error}") from error
    if device.startswith("cuda") and CUDA not in session.get_providers():
        # onnxruntime itself would go on with the CPU
        raise ValueError(f"device {device!r} was requested, but onnxruntime could not use it: give cpu or auto")
    return session


def providers(device: str) -> list[Any]:
    """Return onnxruntime's execution providers for `device`; ValueError for one that is unknown or missing."""
    import onnxruntime

    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise ValueError(f"unknown device {device!r}: expected auto, cpu, cuda or cuda:N")
    has_cuda = CUDA in onnxruntime.get_available_providers()
    if kind == "cuda" and not has_cuda:
        raise ValueError(
            f"device {device!r} was requested, but onnxruntime has no CUDA provider: install onnxruntime-gpu or use cpu"
        )
    cuda = [(CUDA, {"device_id": int(index or 0)})] if has_cuda and kind != "cpu" else []
    return [*cuda, "CPUExecutionProvider"]


def _sigma(reference: str, text: str) -> float:
    """Return the sigma that an option or the metadata state; ValueError where it is no positive number."""
    try:
        sigma = float(text)
    except ValueError:
        sigma = math.nan
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"onnx:{reference}: sigma is {text!r}: expected heatmap cells, a number above 0")
    return sigma
