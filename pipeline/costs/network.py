"""What a network costs: parameters, multiply-accumulates, images per second, latency. One protocol for every row.

The speed is that of uint8 crops that lie on the device already to heatmaps on the device: normalisation is in it, the
decoding of JPEGs and of keypoints is not. Warm-up, then the median of several runs, the device awaited at both ends.
"""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from student.device import dtype_on, torch_device
from student.export.onnx import INPUT, cpu_session, export_onnx
from student.models.flops import count_costs, evaluation
from student.models.student import PoseStudent
from student.normalise import normalise
from student.pose_network import PoseNetwork
from student.settings import ModelSettings

RUNS = 5  # of which the median counts
ON_DEVICE = "uint8 crops on the device to heatmaps on the device, normalisation included"
IN_MEMORY = "uint8 crops in the computer's memory to heatmaps in its memory, normalisation included"


@dataclass(frozen=True)
class Protocol:
    """How speed is measured. seconds: of the runs of one number together; a run is one pass at least."""

    device: str = "auto"
    dtype: str = "auto"  # float32, bfloat16; auto: bfloat16 on CUDA, float32 elsewhere
    batch_size: int = 32
    seconds: float = 5.0
    channels_last: bool = True
    compile: bool = False


@dataclass(frozen=True)
class Speed:
    """Images per second in batches, and milliseconds of a single image; each the median of RUNS runs."""

    images_per_second: float
    latency_ms: float
    images_per_second_of_runs: tuple[float, ...]


def student_cost(
    student: PoseStudent, settings: ModelSettings, name: str, protocol: Protocol, *, onnx: bool = True
) -> dict[str, Any]:
    """The content of cost.json for a student; with `onnx`, the speed of its export on the CPU as well."""
    cost = network_cost(student, settings.input_size, protocol)
    cost |= {"name": name, "backbone": settings.backbone, "head": settings.head}
    if onnx:
        cost["onnxruntime"] = asdict(export_speed(student, settings, protocol)) | {"device": cpu_name()}
    return cost


def teacher_cost(teacher: PoseNetwork, reference: str, protocol: Protocol) -> dict[str, Any]:
    """The content of cost.json for a teacher.

    One that holds no torch network has FLOPs of None; its parameters are those that it tells of, if it does.
    """
    network = getattr(teacher, "network", None)
    if isinstance(network, nn.Module):
        cost = network_cost(network, teacher.input_size, protocol)
    else:
        crops = random_crops(protocol.batch_size, teacher.input_size)
        speed = measure(teacher, crops, protocol.seconds)
        device = str(getattr(teacher, "device", "unstated"))
        dtype = str(getattr(teacher, "dtype", "unstated"))
        cost = _record(speed, teacher.input_size, protocol, device, dtype, IN_MEMORY)
        if parameters := getattr(teacher, "parameters", None):
            cost["params_m"] = parameters / 1e6
    cost["protocol"]["folded"] = getattr(teacher, "folded", False)  # a mixture of experts counted as one dense network
    return cost | {"name": teacher.name, "reference": reference}


def network_cost(network: nn.Module, input_size: tuple[int, int], protocol: Protocol) -> dict[str, Any]:
    """Counts and speed of a torch network on normalised images (B, 3, H, W), by the names of cost.json."""
    costs = count_costs(network, input_size)
    device = torch_device(protocol.device)
    dtype = dtype_on(device) if protocol.dtype == "auto" else protocol.dtype
    speed = network_speed(network, input_size, protocol, device, dtype)
    record = _record(speed, input_size, protocol, str(device), dtype, ON_DEVICE)
    record["protocol"] |= {"channels_last": protocol.channels_last, "compile": protocol.compile}
    return record | {"params_m": costs.params_m, "gmacs": costs.gmacs, "gflops": costs.gflops}


def network_speed(
    network: nn.Module, input_size: tuple[int, int], protocol: Protocol, device: torch.device, dtype: str
) -> Speed:
    """Speed of a torch network, which is left as it was but for its device and memory format."""
    network = network.to(device)
    if protocol.channels_last:
        network = network.to(memory_format=torch.channels_last)
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if protocol.compile else network
    layout = torch.channels_last if protocol.channels_last else torch.contiguous_format

    def run(crops: Tensor) -> None:
        forward(normalise(crops).contiguous(memory_format=layout))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    half = torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16")
    with evaluation(network), torch.inference_mode(), half:
        return measure(
            run, torch.from_numpy(random_crops(protocol.batch_size, input_size)).to(device), protocol.seconds
        )


def export_speed(student: PoseStudent, settings: ModelSettings, protocol: Protocol) -> Speed:
    """Speed of a student's ONNX export by onnxruntime on the CPU, in float32."""
    crops = random_crops(protocol.batch_size, settings.input_size)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "student.onnx"
        export_onnx(student.cpu(), settings, file, crops[:2], "benchmark")
        return file_speed(file, crops, protocol.seconds)


def file_speed(path: str | Path, crops: NDArray[np.uint8], seconds: float) -> Speed:
    """Speed of an exported student (student/export.py) by onnxruntime on the CPU."""
    session = cpu_session(path)
    return measure(lambda batch: session.run(None, {INPUT: batch}), crops, seconds)


def measure(run: Callable[[Any], object], crops: Any, seconds: float) -> Speed:
    """Speed of `run`, which returns when it is done, on a batch (B, H, W, 3) and on its first crop alone."""
    passes = timed(lambda: run(crops), seconds)
    single = timed(lambda: run(crops[:1]), seconds)
    return Speed(
        images_per_second=len(crops) / statistics.median(passes),
        latency_ms=statistics.median(single) * 1e3,
        images_per_second_of_runs=tuple(round(len(crops) / pass_seconds, 3) for pass_seconds in passes),
    )


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Seconds that one call takes, by each of RUNS runs that share `seconds`, after a warm-up of two calls or more."""
    call()  # compiles, allocates, chooses algorithms
    start = time.perf_counter()
    call()
    calls = max(1, round(seconds / RUNS / (time.perf_counter() - start)))
    for _ in range(min(calls, 20)):  # clocks and caches settle
        call()
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - start) / calls)
    return found


def random_crops(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise (count, H, W, 3): no network's speed depends on what it sees."""
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def device_name(device: str) -> str:
    """The name of the GPU or of the processor that `device` means; another word stays as it is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return cpu_name() if device == "cpu" else device


def cpu_name() -> str:
    """The processor and torch's number of threads, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _record(
    speed: Speed, input_size: tuple[int, int], protocol: Protocol, device: str, dtype: str, measured: str
) -> dict[str, Any]:
    return {
        "params_m": None,
        "gmacs": None,
        "gflops": None,
        **asdict(speed),
        "batch_size": protocol.batch_size,
        "dtype": dtype,
        "device": device_name(device),
        "protocol": {
            "measured": measured,
            "input_size": list(input_size),
            "statistic": f"median of {RUNS} runs that share {protocol.seconds:g} s, after a warm-up",
            "gmacs": "multiply-accumulates of one image / 10^9",
            "gflops": "Table 1's counter: 2 per multiply-accumulate, plus biases, norms, activations and pools, / 10^9",
            "versions": {name: version(name) for name in ("torch", "onnxruntime", "kdcache")},
        },
    }
