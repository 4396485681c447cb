"""An exported student in 8-bit integers, by onnxruntime's static quantisation."""

import tempfile
from pathlib import Path

import numpy as np
import onnx

from cache_tools.files import replacing
from student.export.onnx_session import INPUT
from student.pose_network import Crops

CALIBRATION_BATCH = 16


def quantise_onnx(source: str | Path, path: str | Path, crops: Crops) -> None:
    """Write the student of `source`, a file by `export_onnx`, to `path` with 8-bit weights and activations.

    crops (N, H, W, 3) show the quantiser the range of values: a hundred or more, like those that the student will see.
    Weights are scaled by channel. The last convolution stays in float: its outputs are decoded to a fraction of a cell,
    and it is a small part of the work.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, replacing(path) as temporary:
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
            # 7-bit weights: x86 processors without VNNI overflow 16-bit sums of 8-bit products
            reduce_range=True,
            op_types_to_quantize=["Conv", "Add", "MaxPool", "Concat"],
            nodes_to_exclude=[_last_convolution(prepared)],
            calibrate_method=CalibrationMethod.MinMax,
        )


def _last_convolution(path: Path) -> str:
    """Return the name of the last convolution of an ONNX graph."""
    return str([node.name for node in onnx.load(path).graph.node if node.op_type == "Conv"][-1])


class _Calibration:
    """Crops in batches, with the interface of onnxruntime's CalibrationDataReader."""

    def __init__(self, crops: Crops) -> None:
        self.batches = iter(np.array_split(crops, max(1, len(crops) // CALIBRATION_BATCH)))

    def get_next(self) -> dict[str, Crops] | None:
        """Return the next batch by input name, None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch}
