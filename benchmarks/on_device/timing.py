"""How long work takes on a device, and how much of the time the device works."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

WARM_UPS = 3


def wait(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Callable[[], object], device: torch.device, at_least: float = 0.2) -> float:
    """Return the seconds of one call, the mean over calls of at least `at_least` seconds in all, after a warm-up."""
    for _ in range(WARM_UPS):
        call()
    wait(device)
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        wait(device)
        seconds = time.perf_counter() - start
        if seconds >= at_least:
            return seconds / calls
        calls = max(2 * calls, round(1.2 * calls * at_least / seconds))


def event_seconds(call: Callable[[], object], device: torch.device, calls: int) -> float:
    """Return the seconds of one call between two CUDA events, the mean over `calls`; on a CPU by the clock."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - start) / calls
    # torch has no types for events
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / calls


class BusyShare:
    """The share of the time between `start` and `stop` in which at least one kernel ran, copies from the host apart.

    By the profiler, which slows the host a little: the share is a lower limit.
    """

    def __init__(self, device: torch.device) -> None:
        """Measure nothing yet."""
        self.device = device
        self._profiler = None
        if device.type == "cuda":
            # the profiler's first start takes long
            with profile(activities=[ProfilerActivity.CUDA]):
                torch.ones(1, device=device)
            self._profiler = profile(activities=[ProfilerActivity.CUDA])
        self._start = 0.0

    def start(self) -> None:
        """Begin when the device has finished its work."""
        wait(self.device)
        if self._profiler is not None:
            self._profiler.start()
        self._start = time.perf_counter()

    def stop(self) -> float | None:
        """Return the share; None without a GPU or its counters."""
        wait(self.device)
        seconds = time.perf_counter() - self._start
        if self._profiler is None:
            return None
        self._profiler.stop()
        busy = kernel_seconds(self._profiler)
        return busy / seconds if busy else None


def kernel_seconds(profiler: profile) -> float:
    """Return the seconds in which at least one kernel ran, copies from the host apart."""
    kernels = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == DeviceType.CUDA and not event.name.startswith("Memcpy HtoD")
    )
    busy, reached = 0.0, float("-inf")
    for start_us, end_us in kernels:
        busy += max(0.0, end_us - max(start_us, reached))
        reached = max(reached, end_us)
    return busy / 1e6


def device_seconds(call: Callable[[], object], device: torch.device, calls: int = 10) -> float | None:
    """Return the seconds in which kernels of one call run, whatever the host needs to start them; None on a CPU."""
    if device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(calls):
            call()
        wait(device)
    return kernel_seconds(profiler) / calls or None


def profile_tables(call: Callable[[], object], device: torch.device, rows: int = 15) -> str:
    """Return tables of one call: what takes most of the device's time, and of the host's."""
    activities, keys = [ProfilerActivity.CPU], ["self_cpu_time_total"]
    if device.type == "cuda":
        activities, keys = [*activities, ProfilerActivity.CUDA], ["self_device_time_total", *keys]
    with profile(activities=activities) as profiler:
        call()
        wait(device)
    averages = profiler.key_averages()
    return "\n".join(averages.table(sort_by=key, row_limit=rows, max_name_column_width=70) for key in keys)


@contextmanager
def no_waiting(device: torch.device) -> Iterator[None]:
    """Raise an error inside the block where the host waits for the GPU; a CPU has nothing to wait for."""
    if device.type != "cuda":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute matrix products and convolutions in float32, without TF32, and by deterministic kernels."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = False, False, True, False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before
