"""Parity: the device's numbers beside those of a CPU, and a resumed training beside an undisturbed one."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from measured import Row, at_most
from on_device.attempts import attempt
from on_device.context import Context
from on_device.samples import random_crops
from on_device.timing import full_precision
from torch import Tensor

from cache_tools.codec.profiles import get_codec
from cache_tools.skeletons import COCO
from student.batches.loader import Batch, TrainLoader
from student.batches.stream import stream_of
from student.batches.warp import warp_image
from student.heatmaps.decode import dark_decode
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from student.heatmaps.mirror import mirror_maps
from student.heatmaps.patches import PatchCodec, replay_codes
from student.heatmaps.replay import ReplayMode, replay_maps
from student.heatmaps.targets import render_targets, target_weight
from student.models.student import create_student
from student.normalise import normalise
from student.settings import LossName, StudentSettings
from student.training.distributed import ProcessContext
from student.training.learner import Learner
from student.training.losses import joint_losses
from student.training.step import take_step

CPU = torch.device("cpu")
FLOAT32, BFLOAT16 = 1e-4, 1e-2
COUNT, CELLS = 8, (64, 48)
LOSSES = ("adaptive_wing", "mse", "kl")
#: steps before and after the save; a graph is captured in both
STEPS = 5


def measure(context: Context) -> Iterator[Row]:
    """Yield the largest difference of each function and of training steps, relative to the largest value above 1."""
    note = "" if context.on_gpu else "the device is the CPU itself"
    with full_precision():
        for name, function in functions().items():
            yield from attempt(name, of_function(context, name, function, note))
        for name in context.size.students:
            yield from attempt(name, of_student(context, name, note))
        first = next(iter(context.size.students))
        yield from attempt(f"{first}: resumed", of_resuming(context, first, note))


def of_function(context: Context, name: str, function: Callable[[torch.device], Tensor], note: str) -> Iterator[Row]:
    """Yield the largest difference of a function's results, relative to the largest value above 1."""
    expected, found = function(CPU), function(context.device).to(CPU)
    difference = (found - expected).abs().max() / expected.abs().max().clamp(min=1)
    yield at_most(f"{name}, float32", float(difference), FLOAT32, "of the largest", note)


def of_student(context: Context, name: str, note: str) -> Iterator[Row]:
    """Yield how much a training step and heatmaps of one student differ."""
    loss, gradient = training_step(context, name, CPU, torch.float32)
    found_loss, found_gradient = training_step(context, name, context.device, torch.float32)
    difference = abs(found_loss - loss) / abs(loss)
    yield at_most(f"{name}: loss of a step, float32", difference, FLOAT32, "relative", note)
    if not context.on_gpu:
        yield at_most(f"{name}: its gradient", distance(found_gradient, gradient), FLOAT32, "relative, by norm", note)
    else:
        exact = training_step(context, name, CPU, torch.float64)[1]
        also_exact = training_step(context, name, context.device, torch.float64)[1]
        difference = distance(also_exact, exact)
        yield at_most(f"{name}: its gradient, float64", difference, FLOAT32, "relative, by norm")
        # of a network with random weights and eight crops, float32 leaves two or three digits, on any device
        of_cpu, of_device = distance(gradient, exact), distance(found_gradient, exact)
        note = f"{of_device:.1e} from float64, and that of a CPU {of_cpu:.1e}"
        yield at_most(f"{name}: error of its gradient, float32", of_device / of_cpu, 1.5, "x that of a CPU", note)
    yield at_most(f"{name}: heatmaps, bfloat16", in_bfloat16(context, name), BFLOAT16, "RMSE")


def of_resuming(context: Context, name: str, note: str) -> Iterator[Row]:
    """Yield how many weights of a resumed training differ."""
    yield at_most(f"{name}: resumed, weights that differ", resumed(context, name), 0, "tensors", note)


def functions() -> dict[str, Callable[[torch.device], Tensor]]:
    """Return the functions of a training batch and of decoding, each on equal random input on a device."""
    generator = torch.Generator().manual_seed(0)
    codec = get_codec("compact")
    shape = (COUNT, 17, *codec.code_shape)
    codes = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) // 4
    xy = torch.rand(COUNT, 17, 2, generator=generator) * torch.tensor([47.0, 63.0])
    maps = render_targets(xy, CELLS, 2.0)
    prediction = (maps + 0.2 * torch.rand(maps.shape, generator=generator)).clamp(0, 1)
    turn = torch.tensor([[[0.9, -0.3, 4.0], [0.3, 0.9, -3.0]]]).repeat(COUNT, 1, 1)
    flipped = torch.arange(COUNT) % 2 == 0
    crops = torch.from_numpy(random_crops(COUNT, (256, 192)))
    visibility = torch.ones(COUNT, 17, dtype=torch.uint8)
    assert COCO.mirror is not None
    mirror = COCO.mirror

    def loss(device: torch.device, name: LossName) -> Tensor:
        variable = prediction.to(device, copy=True).requires_grad_()
        value = joint_losses(variable, maps.to(device), name)
        value.sum().backward()  # type: ignore[no-untyped-call]
        assert variable.grad is not None
        # slopes of a mean over 3072 cells, on the scale of one cell
        return torch.cat([value.detach().flatten(), variable.grad.flatten() * maps[0, 0].numel()])

    def replayed(device: torch.device, mode: ReplayMode) -> Tensor:
        return replay_maps(maps.to(device), turn.to(device), flipped.to(device), CELLS, mode, mirror=mirror)

    def replayed_codes(device: torch.device) -> Tensor:
        patches = PatchCodec.of(DeviceCodec.of(codec, device), CELLS, teacher_sigma=2.0, student_sigma=2.0)
        arguments = (xy.to(device), turn.to(device), flipped.to(device), CELLS)
        return replay_codes(codes.to(device), patches, *arguments, mirror=mirror)

    return {
        "targets": lambda device: render_targets(xy.to(device), CELLS, 2.0),
        "target weights": lambda device: target_weight(xy.to(device), visibility.to(device), CELLS),
        "codec decode": lambda device: decode_codes(codes.to(device), DeviceCodec.of(codec, device)),
        "replay by peaks": lambda device: replayed(device, "peaks"),
        "replay of codes": replayed_codes,
        "replay by warp": lambda device: replayed(device, "warp"),
        "DARK, cells": lambda device: dark_decode(maps.to(device))[0],
        "mirrored maps": lambda device: mirror_maps(maps.to(device), "udp", mirror),
        "cut crops": lambda device: warp_image(crops.to(device), turn.to(device), (256, 192)),
        "normalised crops": lambda device: normalise(crops.to(device)),
        **{f"loss and slope of {name}": lambda device, name=name: loss(device, name) for name in LOSSES},  # type: ignore[misc]
    }


def learner_on(context: Context, settings: StudentSettings, device: torch.device, folder: str) -> Learner:
    """Return a new student of these settings on a device."""
    run = context.folder / folder
    run.mkdir(parents=True, exist_ok=True)
    return Learner(settings, run, skeleton=COCO, steps=100, steps_per_epoch=10, process=ProcessContext(device))


def small_batches(context: Context, settings: StudentSettings, device: torch.device, count: int) -> list[Batch]:
    """Return the first batches of a training, on a device, cut by the CPU in any case."""
    with TrainLoader([context.store], stream_of([settings]), device=device, cut_on_device=False) as loader:
        return list(loader.batches(0, count))


def training_step(context: Context, name: str, device: torch.device, dtype: torch.dtype) -> tuple[float, Tensor]:
    """Return the loss of one step on a device and the gradient (parameters,) in double precision, on the CPU."""
    settings = context.settings(name, batch_size=min(COUNT, context.size.batch), amp=False, ema_decay=None)
    learner = learner_on(context, settings, device, f"parity-{device.type}-{dtype}")
    learner.model.to(dtype)
    (batch,) = small_batches(context, settings, device, 1)
    gradients = keep_gradients(learner)
    take_step(learner, replace(batch, images=batch.images.to(dtype)))
    flat = torch.cat([gradients[number].flatten().double() for number in sorted(gradients)])
    return learner.losses.take()["loss"], flat


def distance(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference over that of what is expected."""
    return float((found - expected).norm() / expected.norm())


def keep_gradients(learner: Learner) -> dict[int, Tensor]:
    """Return a mapping that a backward pass fills: number of a parameter -> gradient, on the CPU.

    A step frees its gradients.
    """
    gradients: dict[int, Tensor] = {}

    def keep(number: int) -> Callable[[Tensor], None]:
        def copy(parameter: Tensor) -> None:
            assert parameter.grad is not None
            gradients[number] = parameter.grad.detach().to(CPU, copy=True)

        return copy

    for number, parameter in enumerate(learner.parameters):
        parameter.register_post_accumulate_grad_hook(keep(number))
    return gradients


def in_bfloat16(context: Context, name: str) -> float:
    """Return the RMSE of heatmaps in bfloat16 on the device from those in float32 on a CPU, of the largest value."""
    settings = context.settings(name).model
    torch.manual_seed(0)
    network = create_student(settings, COCO).eval()
    images = normalise(torch.from_numpy(random_crops(2, settings.input_size)))
    with torch.no_grad():
        expected = network(images)
        with torch.autocast(context.device.type, torch.bfloat16):
            found = network.to(context.device)(images.to(context.device)).float().to(CPU)
    # heatmaps of random weights have no scale of their own
    return float((found - expected).square().mean().sqrt() / expected.abs().max().clamp(min=1e-6))


def resumed(context: Context, name: str) -> int:
    """Return how many tensors differ between an undisturbed training and one that was saved and resumed."""
    settings = context.settings(name, batch_size=min(COUNT, context.size.batch))
    batches = small_batches(context, settings, context.device, 2 * STEPS)
    plain = learner_on(context, settings, context.device, "undisturbed")
    for batch in batches:
        take_step(plain, batch)
    begun = learner_on(context, settings, context.device, "resumed")
    for batch in batches[:STEPS]:
        take_step(begun, batch)
    begun.save()
    again = learner_on(context, settings, context.device, "resumed")
    again.resume()
    for batch in batches[STEPS:]:
        take_step(again, batch)
    ours, theirs = plain.averaged.state_dict(), again.averaged.state_dict()
    return sum(not torch.equal(value, theirs[key]) for key, value in ours.items())
