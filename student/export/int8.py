"""An exported student in 8-bit integers, by onnxruntime's static quantisation."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from student.export.onnx import INPUT, Crops, temporary_beside

BATCH = 16


def quantise_onnx(source: str | Path, path: str | Path, crops: Crops) -> None:
    """Write the student of `source` (student/export.py) to `path` with 8-bit weights and activations.

    crops (N, H, W, 3) show the quantiser which values occur: a hundred or more, like those the student will see.
    Weights are scaled by channel. The last convolution stays in float: its outputs are what is decoded, to a fraction
    of a cell, and it is a small part of the work.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, temporary_beside(path) as temporary:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(temporary),
            _Calibration(crops),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7-bit weights: x86 processors without VNNI overflow 16-bit sums of 8-bit products
            op_types_to_quantize=["Conv", "Add", "MaxPool", "Concat"],
            nodes_to_exclude=[last_convolution(prepared)],
            calibrate_method=CalibrationMethod.MinMax,
        )


def last_convolution(path: Path) -> str:
    """Name of the last convolution of an ONNX graph."""
    return [node.name for node in onnx.load(path).graph.node if node.op_type == "Conv"][-1]


class _Calibration:
    """Crops in the form in which onnxruntime asks for them."""

    def __init__(self, crops: Crops) -> None:
        self.batches = iter(np.array_split(crops, max(1, len(crops) // BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch}
