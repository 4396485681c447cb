"""Any pose network in an ONNX file."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from cache_tools.coco import JOINTS
from cache_tools.geometry import FRAMES
from student.pose_network import Crops, Maps, digest_of

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)  # ImageNet, RGB
OPTIONS = ("frame", "input", "sigma", "licence")


class OnnxTeacher:
    """ONNX: float32 (B, 3, H, W) by ImageNet mean and std, or uint8 (B, H, W, 3), to heatmaps (B, 17, h, w)."""

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        """FILE?frame=udp|stride[&input=256x192][&sigma=2][&licence=...]; what the file tells can be left out."""
        import onnxruntime

        name, _, query = reference.partition("?")
        options = dict(parse_qsl(query))
        if unknown := set(options) - set(OPTIONS):
            raise ValueError(f"onnx:{reference}: unknown {', '.join(sorted(unknown))}: expected {', '.join(OPTIONS)}")
        self.path = Path(name)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no ONNX file {self.path.absolute()}")
        try:
            self.session = onnxruntime.InferenceSession(
                self.path, session_options(threads), providers=providers(device)
            )
        except Exception as error:  # onnxruntime's own kinds have no common public base
            raise ValueError(f"{self.path} is not an ONNX file that onnxruntime runs: {error}") from error
        # `kdcache export` writes frame and sigma into its files
        told = self.session.get_modelmeta().custom_metadata_map
        self.frame = options.get("frame", told.get("frame", ""))
        if self.frame not in FRAMES:
            raise ValueError(
                f"onnx:{reference}: say where its heatmap cells lie, with ?frame=udp (ViTPose, MMPose's UDP: the "
                "outermost cells are the outermost pixels) or ?frame=stride (HRNet, TinyPose: cell "
                "(i, j) is pixel (4i, 4j)). The wrong one costs about 2 AP, so it is not guessed"
            )
        self.name = self.path.stem
        self.sigma = float(options.get("sigma", told.get("sigma", 2)))
        self.licence = options.get("licence", told.get("licence", "unstated"))
        self.device = "cuda" if "CUDAExecutionProvider" in self.session.get_providers() else "cpu"
        self.input = self.session.get_inputs()[0]
        self.bytes_in = self.input.type == "tensor(uint8)"
        self.batch = self.input.shape[0] if isinstance(self.input.shape[0], int) else None
        self.input_size = self._input_size(options.get("input"))
        self.heatmap_size = self._heatmap_size()

    @cached_property
    def digest(self) -> str:
        """sha256 over the file and what is done before it."""
        return digest_of(self.path, "bytes" if self.bytes_in else "ImageNet mean and std", self.frame)

    @cached_property
    def graph(self) -> Any:
        """The file's graph, without weights that lie in files beside it."""
        import onnx

        return onnx.load(self.path, load_external_data=False).graph

    @property
    def dtype(self) -> str:
        """int8 where the graph quantises what flows through it, else float32."""
        return "int8" if any(node.op_type == "QuantizeLinear" for node in self.graph.node) else "float32"

    @property
    def parameters(self) -> int:
        """Numbers in the file's initialisers, but for int64 ones, which are shapes and indices."""
        import onnx

        weights = (i for i in self.graph.initializer if i.data_type != onnx.TensorProto.INT64)
        return sum(math.prod(weight.dims) for weight in weights)

    def __call__(self, crops: Crops) -> Maps:
        """Heatmaps (B, 17, h, w) of crops (B, H, W, 3)."""
        step = self.batch or len(crops)
        parts = [self._run(crops[start : start + step]) for start in range(0, len(crops), step)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _run(self, crops: Crops) -> Maps:
        rows = len(crops)
        if self.batch and rows < self.batch:
            crops = np.concatenate([crops, np.repeat(crops[:1], self.batch - rows, axis=0)])
        pixels: np.ndarray = crops
        if not self.bytes_in:
            pixels = crops * (1 / (255 * STD)) - MEAN / STD
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return np.asarray(self.session.run(None, {self.input.name: pixels})[0][:rows], np.float32)

    def _input_size(self, stated: str | None) -> tuple[int, int]:
        shape = self.input.shape[1:3] if self.bytes_in else self.input.shape[2:4]
        if all(isinstance(side, int) for side in shape):
            return shape[0], shape[1]
        if stated is None:
            raise ValueError(f"{self.path} takes crops of any size: state one, as in onnx:{self.path}?input=256x192")
        height, _, width = stated.partition("x")
        return int(height), int(width)

    def _heatmap_size(self) -> tuple[int, int]:
        shape: Any = self.session.get_outputs()[0].shape
        if not all(isinstance(side, int) for side in shape[1:]):  # the file leaves it open: ask the network
            shape = self(np.zeros((1, *self.input_size, 3), np.uint8)).shape
        if len(shape) != 4 or shape[1] != JOINTS:
            raise ValueError(
                f"the first output of {self.path} has shape {tuple(shape)}: expected heatmaps (B, {JOINTS}, h, w)"
            )
        return shape[2], shape[3]


def session_options(threads: int | None) -> Any:
    """onnxruntime's options; its threads sleep while they wait, because others decode photos meanwhile."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def providers(device: str) -> list[Any]:
    """onnxruntime's execution providers for `device`; ValueError where CUDA is asked for and is not there."""
    import onnxruntime

    kind, _, index = device.partition(":")
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if kind == "cuda" and not has_cuda:
        raise ValueError(
            f"device {device!r} was asked for, but onnxruntime has no CUDA provider: install onnxruntime-gpu"
        )
    cuda = [("CUDAExecutionProvider", {"device_id": int(index or 0)})] if has_cuda and kind != "cpu" else []
    return [*cuda, "CPUExecutionProvider"]
