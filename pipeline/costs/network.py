"""Measure what a network costs: parameters, multiply-accumulates, images per second, latency; by one protocol for all.

Speed is that of uint8 crops that are on the device already to heatmaps on the device: normalisation is included, the
decoding of JPEGs and of keypoints is not. Warm-up, then the median of several runs; the device is synchronised at both
ends.
"""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cache_tools.version import version_of
from pipeline.costs.cost_file import Cost, CostProtocol, ExportSpeed
from student.device import dtype_on, torch_device
from student.export.onnx import export_onnx
from student.export.onnx_session import INPUT, cpu_session
from student.models.flops import count_costs
from student.models.network_mode import evaluation_mode
from student.models.student import PoseStudent
from student.normalise import normalise
from student.pose_network import PoseNetwork
from student.settings import ModelSettings

#: runs of which the median is reported
RUNS = 5
ON_DEVICE = "uint8 crops on the device to heatmaps on the device, normalisation included"
IN_MEMORY = "uint8 crops in the computer's memory to heatmaps in its memory, normalisation included"


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """How speed is measured."""

    #: auto, cpu, cuda or cuda:N
    device: str = "auto"
    #: float32, bfloat16; auto: bfloat16 on CUDA, float32 elsewhere
    dtype: str = "auto"
    #: crops a pass
    batch_size: int = 32
    #: of all runs behind one number together; a run is at least one pass
    seconds: float = 5.0
    channels_last: bool = True
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Images per second in batches, and milliseconds of a single image; each the median of RUNS runs."""

    images_per_second: float
    latency_ms: float
    images_per_second_of_runs: tuple[float, ...]


def student_cost(
    student: PoseStudent, settings: ModelSettings, name: str, speed_settings: SpeedSettings, *, onnx: bool = True
) -> Cost:
    """Return the cost of a student; with `onnx`, the speed of its export on the CPU as well."""
    cost = network_cost(student, settings.input_size, speed_settings)
    labels: dict[str, Any] = {"name": name, "backbone": settings.backbone, "head": settings.head}
    if onnx:
        speed = export_speed(student, settings, speed_settings)
        labels["onnxruntime"] = ExportSpeed(**asdict(speed), device=cpu_name())
    return cost.model_copy(update=labels)


def teacher_cost(teacher: PoseNetwork, reference: str, speed_settings: SpeedSettings) -> Cost:
    """Return the cost of a teacher.

    FLOPs are None for a teacher that is not a torch network; its parameters are those that it states, if it does.
    """
    network = getattr(teacher, "network", None)
    if isinstance(network, nn.Module):
        cost = network_cost(network, teacher.input_size, speed_settings)
    else:
        crops = random_crops(speed_settings.batch_size, teacher.input_size)
        parameters = getattr(teacher, "parameters", None)
        cost = Cost(
            params_m=parameters / 1e6 if parameters else None,
            gmacs=None,
            gflops=None,
            **asdict(measure_speed(teacher, crops, speed_settings.seconds)),
            batch_size=speed_settings.batch_size,
            dtype=str(getattr(teacher, "dtype", "unstated")),
            device=hardware_name(str(getattr(teacher, "device", "unstated"))),
            protocol=_protocol(IN_MEMORY, teacher.input_size, speed_settings),
        )
    # a mixture of experts may be counted, and run, as one dense network
    protocol = cost.protocol.model_copy(update={"folded": getattr(teacher, "folded", False)})
    return cost.model_copy(update={"protocol": protocol, "name": teacher.name, "reference": reference})


def network_cost(network: nn.Module, input_size: tuple[int, int], speed_settings: SpeedSettings) -> Cost:
    """Return counts and speed of a torch network on normalised images (B, 3, H, W)."""
    counts = count_costs(network, input_size)
    device = torch_device(speed_settings.device)
    dtype = dtype_on(device) if speed_settings.dtype == "auto" else speed_settings.dtype
    speed = network_speed(network, input_size, speed_settings, device, dtype)
    options = {"channels_last": speed_settings.channels_last, "compile": speed_settings.compile}
    return Cost(
        params_m=counts.params_m,
        gmacs=counts.gmacs,
        gflops=counts.gflops,
        **asdict(speed),
        batch_size=speed_settings.batch_size,
        dtype=dtype,
        device=hardware_name(str(device)),
        protocol=_protocol(ON_DEVICE, input_size, speed_settings).model_copy(update=options),
    )


def network_speed(
    network: nn.Module, input_size: tuple[int, int], speed_settings: SpeedSettings, device: torch.device, dtype: str
) -> Speed:
    """Return the speed of a torch network, which keeps its mode but is moved to `device` and its memory format."""
    network = network.to(device)
    if dtype == "float32":
        # a teacher on a GPU has its matrix products in bfloat16
        network = network.float()
    if speed_settings.channels_last:
        network = network.to(memory_format=torch.channels_last)
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if speed_settings.compile else network
    memory_format = torch.channels_last if speed_settings.channels_last else torch.contiguous_format

    def run(crops: Tensor) -> None:
        forward(normalise(crops).contiguous(memory_format=memory_format))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    crops = torch.from_numpy(random_crops(speed_settings.batch_size, input_size)).to(device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16")
    with evaluation_mode(network), torch.inference_mode(), autocast:
        return measure_speed(run, crops, speed_settings.seconds)


def export_speed(student: PoseStudent, settings: ModelSettings, speed_settings: SpeedSettings) -> Speed:
    """Return the speed of a student's ONNX export by onnxruntime on the CPU, in float32."""
    crops = random_crops(speed_settings.batch_size, settings.input_size)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "student.onnx"
        export_onnx(student.cpu(), settings, file, crops[:2], "benchmark")
        return file_speed(file, crops, speed_settings.seconds)


def file_speed(path: str | Path, crops: NDArray[np.uint8], seconds: float) -> Speed:
    """Return the speed of an exported student (student/export/onnx.py) by onnxruntime on the CPU."""
    session = cpu_session(path)
    return measure_speed(lambda batch: session.run(None, {INPUT: batch}), crops, seconds)


def measure_speed(run: Callable[[Any], object], crops: Any, seconds: float) -> Speed:
    """Return the speed of `run` on a batch (B, H, W, 3) and on only its first crop.

    run: returns when the work is done. seconds: of all runs behind each number together.
    """
    passes = timed(lambda: run(crops), seconds)
    single = timed(lambda: run(crops[:1]), seconds)
    return Speed(
        images_per_second=len(crops) / statistics.median(passes),
        latency_ms=statistics.median(single) * 1e3,
        images_per_second_of_runs=tuple(round(len(crops) / pass_seconds, 3) for pass_seconds in passes),
    )


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Return the seconds of one call in each of RUNS runs that share `seconds`, after at least two warm-up calls."""
    # the first call compiles, allocates and chooses algorithms
    call()
    start = time.perf_counter()
    call()
    calls = max(1, round(seconds / RUNS / (time.perf_counter() - start)))
    # clocks and caches settle
    for _ in range(min(calls, 20)):
        call()
    seconds_of_call = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds_of_call.append((time.perf_counter() - start) / calls)
    return seconds_of_call


def random_crops(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return noise (count, H, W, 3): no network's speed depends on what it sees."""
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def hardware_name(device: str) -> str:
    """Return the name of the GPU or processor behind `cuda`, `cuda:N` or `cpu`; any other word as it is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return cpu_name() if device == "cpu" else device


def cpu_name() -> str:
    """Return the processor's name and torch's number of threads."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _protocol(measured: str, input_size: tuple[int, int], speed_settings: SpeedSettings) -> CostProtocol:
    return CostProtocol(
        measured=measured,
        input_size=input_size,
        statistic=f"median of {RUNS} runs that share {speed_settings.seconds:g} s, after a warm-up",
        gmacs="multiply-accumulates of one image / 10^9",
        gflops="Table 1's counter: 2 per multiply-accumulate, plus biases, norms, activations and pools, / 10^9",
        versions={name: version_of(name) for name in ("torch", "onnxruntime", "kdcache")},
    )
