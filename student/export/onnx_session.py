"""Run an exported student by onnxruntime on the CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from student.pose_network import Crops, Maps

# names of the exported graph's input and output
INPUT, OUTPUT = "crops", "heatmaps"


def run_onnx(path: str | Path, crops: Crops) -> Maps:
    """Return heatmaps (B, 17, h, w) of crops (B, H, W, 3)."""
    return np.asarray(cpu_session(path).run([OUTPUT], {INPUT: crops})[0], np.float32)


def cpu_session(path: str | Path, threads: int | None = None) -> Any:
    """Return an onnxruntime.InferenceSession on the CPU; threads: as many as torch uses by default."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    # errors only
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
