"""Kernels: bytes that each must move over its time, as a share of a copy on the same device in the same run.

The time is that of the device: at the usual sizes the host needs longer to start the kernels than they run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from measured import Row, at_least
from on_device.attempts import attempt
from on_device.context import Context
from on_device.samples import CELLS, SIGMA, random_crops
from on_device.timing import device_seconds, seconds_of
from torch import Tensor

from cache_tools.codec.profiles import get_codec
from cache_tools.skeletons import COCO
from student.batches.warp import warp_image
from student.heatmaps.decode import dark_decode, find_peaks
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.patches import PatchCodec, replay_codes
from student.heatmaps.targets import render_targets
from student.training.losses import joint_losses

#: of a copy, in percent; what is below is fused
SHARE = 25.0
#: bytes of a float32
FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A function without arguments, what it computes on tensors, and the bytes that it must read and write."""

    call: Callable[..., object]
    arguments: tuple[object, ...]
    bytes_moved: int


def measure(context: Context) -> Iterator[Row]:
    """Yield the copy's rate, then each kernel's share of it: as it is, and on a GPU compiled."""
    source = torch.empty(context.size.copy_bytes, dtype=torch.uint8, device=context.device)
    target = torch.empty_like(source)
    copy_rate = 2 * source.numel() / seconds_of(lambda: target.copy_(source), context.device)
    yield Row("copy, read and written", copy_rate / 1e9, "GB/s")
    for name, kernel in kernels(context).items():
        for way in ("eager", "compiled") if context.compiles else ("eager",):
            label = f"{name}, {way}"
            yield from attempt(label, of_kernel(context, label, kernel, copy_rate, compiled=way == "compiled"))


def of_kernel(context: Context, label: str, kernel: Kernel, copy_rate: float, *, compiled: bool) -> Iterator[Row]:
    """Yield a kernel's share of the copy. copy_rate: bytes a second."""
    call = torch.compile(kernel.call, dynamic=False) if compiled else kernel.call

    def run() -> None:
        call(*kernel.arguments)

    whole = seconds_of(run, context.device)
    seconds = device_seconds(run, context.device) or whole
    share = 100 * kernel.bytes_moved / seconds / copy_rate
    note = f"{1e3 * seconds:.3g} ms for {context.size.kernel_batch} crops, {1e3 * whole:.3g} ms with the host"
    # what is below the target as it is is fused
    judged = context.on_gpu and compiled == context.compiles
    row = at_least(label, share, SHARE, "% of a copy", note, judged=judged)
    if row.met is False:
        context.keep_profile(label, run)
    yield row


def kernels(context: Context) -> dict[str, Kernel]:
    """Return the kernels of a training batch and of decoding, on random input of the usual sizes."""
    device, batch = context.device, context.size.kernel_batch
    codec = get_codec("compact")
    device_codec = DeviceCodec.of(codec, device)
    codes = torch.randint(0, 64, (batch, 17, *codec.code_shape), device=device, dtype=torch.uint8)
    xy = torch.rand(batch, 17, 2, device=device) * torch.tensor([47.0, 63.0], device=device)
    maps = render_targets(xy, CELLS, SIGMA)
    prediction = maps.clone().requires_grad_()
    turn = torch.tensor([[[0.9, -0.3, 4.0], [0.3, 0.9, -3.0]]], device=device).repeat(batch, 1, 1)
    flipped = torch.zeros(batch, dtype=torch.bool, device=device)
    crops = torch.from_numpy(random_crops(batch, (288, 216))).to(device)
    map_bytes = FLOAT * maps.numel()

    patches = PatchCodec.of(device_codec, CELLS, teacher_sigma=SIGMA, student_sigma=SIGMA)
    peaks = find_peaks(decode_codes(codes, device_codec))

    def replayed(stored: Tensor) -> Tensor:
        return replay_codes(stored, patches, peaks, turn, flipped, CELLS, mirror=COCO.mirror)

    def loss_and_slope(variable: Tensor, target: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(joint_losses(variable, target, "adaptive_wing").sum(), variable)
        return slope

    return {
        "codec decode and replay": Kernel(call=replayed, arguments=(codes,), bytes_moved=codes.numel() + map_bytes),
        "targets": Kernel(call=render_targets, arguments=(xy, CELLS, SIGMA), bytes_moved=map_bytes),
        "adaptive wing loss and slope": Kernel(
            call=loss_and_slope, arguments=(prediction, maps), bytes_moved=3 * map_bytes
        ),
        "DARK": Kernel(call=dark_decode, arguments=(maps,), bytes_moved=map_bytes),
        "cut crops": Kernel(
            call=warp_image,
            arguments=(crops, turn, (256, 192)),
            bytes_moved=crops.numel() + FLOAT * batch * 3 * 256 * 192,
        ),
    }
