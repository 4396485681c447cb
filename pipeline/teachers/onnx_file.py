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
from pipeline.teachers.onnx_files import files_of
from pipeline.teachers.onnx_outputs import find_output
from pipeline.teachers.onnx_runtime import CUDA, open_session
from pipeline.teachers.simcc import SimccHeatmaps
from pipeline.teachers.values import GAUSSIAN, VALUE_OPTIONS, Values, named
from student.pose_network import Crops, Maps, digest_of

#: of ImageNet, RGB in [0, 1]; student/normalise.py has the same, but would import torch
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
OPTIONS = ("frame", "input", "sigma", "licence", "skeleton", "output", *VALUE_OPTIONS)
#: onnxruntime's names of types
FLOATS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
INPUTS = {**FLOATS, "tensor(uint8)": "uint8"}


class OnnxTeacher:
    """An ONNX graph from crops to heatmaps, or to SimCC vectors, which become heatmaps.

    It takes floating point crops by ImageNet mean and std, or uint8 ones, which it normalises itself: (B, 3, H, W) or
    (B, H, W, 3), as its shape says. It returns heatmaps (B, K, h, w) or (B, h, w, K), or vectors (pipeline/teachers/
    simcc.py). Half precision is converted on both sides.
    """

    joints: tuple[str | None, ...] | None = None

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        """Open FILE?frame=udp|stride[&input=256x192][&sigma=2][&licence=...][&skeleton=NAME|FILE][&output=NAME|simcc].

        &scale, &activation and &beta say how its values become heatmaps (pipeline/teachers/values.py). The file's
        metadata may state frame, sigma, licence and skeleton, too.
        Raises FileNotFoundError for a missing file, its external data included, ValueError for a file that is no pose
        network, for options that are unknown, wrong or missing, for outputs that may be several things, and for a
        device that onnxruntime does not have.
        """
        name, options = options_of(reference, OPTIONS)
        self.path = Path(name)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no ONNX file {self.path.absolute()}")
        #: the file, and those beside it that hold its weights
        self.files = files_of(self.path)
        self.session = open_session(self.path, device, threads)
        # `kdcache export` writes frame and sigma into its files
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.frame = options.get("frame", metadata.get("frame", ""))
        if self.frame not in FRAMES:
            raise ValueError(
                f"onnx:{reference}: say where its heatmap cells lie, with ?frame=udp (ViTPose, MMPose's UDP: the "
                "outermost cells are the outermost pixels) or ?frame=stride (HRNet, TinyPose, RTMPose: cell "
                "(i, j) is pixel (4i, 4j)). The wrong one costs about 2 AP, therefore it is not guessed"
            )
        self.sigma = _sigma(reference, options.get("sigma", metadata.get("sigma", "2")))
        self.licence = options.get("licence", metadata.get("licence", "unstated"))
        self.device = "cuda" if CUDA in self.session.get_providers() else "cpu"
        self._plan_input(reference, options.get("input"))
        self._plan_output(reference, options, metadata)

    def _plan_input(self, reference: str, stated_size: str | None) -> None:
        """Find type, layout, batch and size of the crops that the graph takes."""
        inputs = self.session.get_inputs()
        self.input = inputs[0]
        shape = self.input.shape
        if len(inputs) != 1 or len(shape) != 4 or self.input.type not in INPUTS:
            found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise ValueError(
                f"onnx:{reference} takes {found}: expected one input of crops, (B, 3, H, W) or (B, H, W, 3), in uint8, "
                "float16 or float32"
            )
        #: the graph takes uint8 crops, and normalises them itself
        self.takes_bytes = self.input.type == "tensor(uint8)"
        self.input_dtype = INPUTS[self.input.type]
        #: colours last, (B, H, W, 3); where neither side says it, bytes are taken so, and floating point is not
        self.colours_last = shape[3] == 3 if 3 in (shape[1], shape[3]) else self.takes_bytes
        colours = shape[3 if self.colours_last else 1]
        if isinstance(colours, int) and colours != 3:
            raise ValueError(
                f"onnx:{reference} takes crops {shape}: expected three colours, (B, 3, H, W) or (B, H, W, 3)"
            )
        #: the only batch size that the graph takes; None: any
        self.batch = shape[0] if isinstance(shape[0], int) else None
        sides = shape[1:3] if self.colours_last else shape[2:4]
        self.input_size = self._input_size(reference, sides, stated_size)

    def _input_size(self, reference: str, sides: list[Any], stated: str | None) -> tuple[int, int]:
        if stated is None:
            if not all(isinstance(side, int) for side in sides):
                raise ValueError(
                    f"{self.path} takes crops of any size: state one, as in onnx:{self.path}?input=256x192"
                )
            return sides[0], sides[1]
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", stated)
        if match is None:
            raise ValueError(f"onnx:{reference}: input is {stated!r}: expected HEIGHTxWIDTH, as in input=256x192")
        height, width = int(match[1]), int(match[2])
        if any(isinstance(side, int) and side != size for side, size in zip(sides, (height, width), strict=True)):
            raise ValueError(f"onnx:{reference}: input is {stated}, but the graph takes only {sides[0]}x{sides[1]}")
        return height, width

    def _plan_output(self, reference: str, options: dict[str, str], metadata: dict[str, str]) -> None:
        """Find which outputs are the heatmaps, what their values are, and of which joints they are."""
        self.values = Values.of(f"onnx:{reference}", options)
        skeleton = _stated_skeleton(options.get("skeleton"), metadata)
        try:
            self.output = find_output(
                self._output_shapes(),
                self.input_size,
                None if skeleton is None else len(skeleton),
                options.get("output"),
            )
        except ValueError as problem:
            raise ValueError(f"onnx:{reference}: {problem}") from None
        self.skeleton = _checked_skeleton(reference, skeleton, self.output.joints)
        self._simcc: SimccHeatmaps | None = None
        self.heatmap_size = self.output.size
        if self.output.is_simcc:
            if self.values.scale == GAUSSIAN:
                raise ValueError(
                    f"onnx:{reference}: scale=gaussian is for heatmaps: state activation=softmax, or a number"
                )
            self._simcc = SimccHeatmaps(
                bins=self.output.size,
                input_size=self.input_size,
                frame=self.frame,
                sigma=self.sigma,
                values=self.values,
            )
            self.heatmap_size = self._simcc.heatmap_size
        self.name = named(self.path.stem, self.values)

    def _output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every output of floating point numbers; where the file does not say, a crop shows it."""
        outputs = [one for one in self.session.get_outputs() if one.type in FLOATS]
        shapes = {one.name: tuple(one.shape) for one in outputs}
        if all(isinstance(side, int) for shape in shapes.values() for side in shape[1:]):
            return shapes
        found = self._run(np.zeros((1, *self.input_size, 3), np.uint8), list(shapes))
        return {name: array.shape for name, array in zip(shapes, found, strict=True)}

    @cached_property
    def digest(self) -> str:
        """Return the sha256 over the file and its external data, its preprocessing, its frame and its options."""
        first = self.session.get_outputs()[0].name
        parts = [] if self.output.names == (first,) else [f"output {' '.join(self.output.names)}"]
        if self._simcc is not None:
            parts.append(f"simcc, sigma {self.sigma!r}")
        preprocessing = "bytes" if self.takes_bytes else "ImageNet mean and std"
        options = (*parts, *self.values.digest_parts(self.sigma))
        return digest_of(self.path, preprocessing, self.frame, *self.files[1:], *options)

    @cached_property
    def graph(self) -> Any:
        """Return the file's graph, without weights that lie in files beside it."""
        import onnx

        return onnx.load(self.path, load_external_data=False).graph

    @property
    def dtype(self) -> str:
        """Return "int8" where the graph quantises its activations, "float16" where its weights are, else "float32"."""
        import onnx

        if any(node.op_type == "QuantizeLinear" for node in self.graph.node):
            return "int8"
        half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in self.graph.initializer)
        return "float16" if half else "float32"

    @property
    def parameters(self) -> int:
        """Return the count of numbers in the file's initialisers, without int64 ones, which are shapes and indices."""
        import onnx

        weights = (tensor for tensor in self.graph.initializer if tensor.data_type != onnx.TensorProto.INT64)
        return sum(math.prod(weight.dims) for weight in weights)

    @property
    def interface(self) -> str:
        """Return what the graph takes and returns, in words."""
        layout = "B, H, W, 3" if self.colours_last else "B, 3, H, W"
        if self.output.is_simcc:
            returned = f"SimCC vectors {self.output.names[1]} and {self.output.names[0]}"
        else:
            returned = f"output {self.output.names[0]} ({'B, h, w, K' if self.output.joints_last else 'B, K, h, w'})"
        return f"{self.input_dtype} ({layout}), {returned}"

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        step = self.batch or len(crops)
        parts = [self._heatmaps(crops[start : start + step]) for start in range(0, len(crops), step)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _heatmaps(self, crops: Crops) -> Maps:
        found = self._run(crops, list(self.output.names))
        if self._simcc is not None:
            return self._simcc.maps(*found)
        maps = np.asarray(found[0], np.float32)
        if self.output.joints_last:
            maps = np.ascontiguousarray(maps.transpose(0, 3, 1, 2))
        return self.values.apply(maps, self.sigma)

    def _run(self, crops: Crops, outputs: list[str]) -> list[NDArray[Any]]:
        """Return outputs of the graph for crops (B, H, W, 3)."""
        rows = len(crops)
        if self.batch and rows < self.batch:
            crops = np.concatenate([crops, np.repeat(crops[:1], self.batch - rows, axis=0)])
        pixels: NDArray[Any] = crops
        if not self.takes_bytes:
            pixels = (crops * (1 / (255 * STD)) - MEAN / STD).astype(self.input_dtype, copy=False)
        if not self.colours_last:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return [found[:rows] for found in self.session.run(outputs, {self.input.name: pixels})]


def _stated_skeleton(stated: str | None, metadata: dict[str, str]) -> Skeleton | None:
    """Return the joints that an option or the metadata state; None where neither does.

    `kdcache export` writes `skeleton`, and before version 0.2 only the names.
    """
    if stated is not None:
        return load_skeleton(stated)
    if "skeleton" in metadata:
        return Skeleton.from_json(json.loads(metadata["skeleton"]))
    if "keypoints" in metadata:
        return skeleton_of_category({"keypoints": json.loads(metadata["keypoints"])})
    return None


def _checked_skeleton(reference: str, skeleton: Skeleton | None, joints: int) -> Skeleton | None:
    """Return the skeleton of a network; ValueError for another number of joints, and where none of 17 is stated."""
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


def _sigma(reference: str, text: str) -> float:
    """Return the sigma that an option or the metadata state; ValueError where it is no positive number."""
    try:
        sigma = float(text)
    except ValueError:
        sigma = math.nan
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"onnx:{reference}: sigma is {text!r}: expected heatmap cells, a number above 0")
    return sigma
