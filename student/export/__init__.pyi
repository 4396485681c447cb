from .int8 import quantise_onnx as quantise_onnx
from .onnx import CropsToHeatmaps as CropsToHeatmaps
from .onnx import export_onnx as export_onnx
from .onnx_session import cpu_session as cpu_session
from .onnx_session import run_onnx as run_onnx

__all__ = [
    "CropsToHeatmaps",
    "cpu_session",
    "export_onnx",
    "quantise_onnx",
    "run_onnx",
]
