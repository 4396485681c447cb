"""Open ONNX files with onnxruntime, on a device."""

from pathlib import Path
from typing import Any

CUDA = "CUDAExecutionProvider"


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
