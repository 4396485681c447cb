"""`kdcache benchmark`: what a student, a teacher or a backbone costs, and what limits a training."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared_options import (
    PATH,
    batch_size_option,
    device_option,
    reject_ignored,
    untrained_student_options,
)

if TYPE_CHECKING:
    from pipeline.costs.cost_file import Cost, ExportSpeed
    from pipeline.costs.loader import StepTimes
    from pipeline.costs.network import SpeedSettings

#: options that only the measurement of a network looks at
NETWORK_OPTIONS = (
    "head", "input_size", "seconds", "batch_size", "dtype", "channels_last", "compiled", "onnx",
)  # fmt: skip


@click.command("benchmark")
@click.argument("run", required=False, type=PATH)
@click.option("--teacher", metavar="REF", help="A teacher in place of RUN; with --loader, the live teacher of RUN.")
@click.option("--backbone", metavar="NAME", help="A student that was never trained: a name of Table 1, or timm:NAME.")
@untrained_student_options
@click.option("--loader", metavar="STORE", help="Measure what limits training from STORE: the loader or RUN's step.")
@click.option("--images", type=PATH, help="Folder of the photos, for a --loader STORE without crops.")
@click.option("--out", type=PATH, help="Write the numbers here (cost.json).")
@click.option("--seconds", default=5.0, show_default=True, help="Of the runs behind each number, without warm-up.")
@batch_size_option
@device_option
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True,
              help="Precision of a torch network; auto is bfloat16 on a GPU, else float32.")  # fmt: skip
@click.option("--channels-last/--no-channels-last", default=True, show_default=True, help="Memory format of images.")
@click.option("--compile/--no-compile", "compiled", default=False, show_default=True, help="Use torch.compile.")
@click.option("--onnx/--no-onnx", default=True, show_default=True, help="Measure a student's ONNX export as well.")
@click.pass_context
def command(
    context: click.Context,
    run: Path | None,
    teacher: str | None,
    backbone: str | None,
    head: str,
    input_size: tuple[int, int],
    loader: str | None,
    images: Path | None,
    out: Path | None,
    seconds: float,
    batch_size: int,
    device: str,
    dtype: str,
    channels_last: bool,
    compiled: bool,
    onnx: bool,
) -> None:
    """Measure parameters, FLOPs, throughput and latency of RUN, of a teacher or of a backbone.

    With --loader: measure seconds of a training step of RUN, of the loader alone, and of both.
    """
    if loader is not None:
        if run is None or backbone is not None:
            raise click.UsageError("--loader times the training of a RUN: give its folder, finished or not")
        reject_ignored(context, NETWORK_OPTIONS, "--loader times training steps with the settings of RUN")
        times = _step_times(loader, run, images, teacher, device)
        if out is not None:
            times.write(out)
        click.echo(step_times_text(times))
        return
    if sum(source is not None for source in (run, teacher, backbone)) != 1:
        raise click.UsageError("give one of RUN, --teacher REF and --backbone NAME")
    reject_ignored(context, ["images"], "only --loader reads photos")
    if backbone is None:
        reject_ignored(context, ["head", "input_size"], "they describe a --backbone")
    if teacher is not None:
        reject_ignored(context, ["onnx"], "only a student is exported")
    from pipeline.costs.network import SpeedSettings

    speed_settings = SpeedSettings(
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        seconds=seconds,
        channels_last=channels_last,
        compile=compiled,
    )
    cost = _cost(run, teacher, backbone, head, input_size, speed_settings, onnx)
    if out is not None:
        cost.write(out)
    click.echo(cost_text(cost))


def _cost(
    run: Path | None,
    teacher: str | None,
    backbone: str | None,
    head: str,
    input_size: tuple[int, int],
    speed_settings: "SpeedSettings",
    onnx: bool,
) -> "Cost":
    """Measure the one of run, teacher and backbone that is given."""
    from pipeline.costs.network import student_cost, teacher_cost

    if teacher is not None:
        from pipeline.teachers.load import load_network

        return teacher_cost(load_network(teacher, device=speed_settings.device), teacher, speed_settings)
    if run is not None:
        from student.checkpoint import load_model

        network, settings = load_model(run)
        return student_cost(network, settings.model, settings.name, speed_settings, onnx=onnx)
    from cache_tools.skeletons import COCO
    from student.models.student import create_student, untrained_settings

    model = untrained_settings(str(backbone), head, input_size)
    return student_cost(create_student(model, COCO), model, str(backbone), speed_settings, onnx=onnx)


def _step_times(store: str, run: Path, images: Path | None, teacher: str | None, device: str) -> "StepTimes":
    from cache_tools.store.writer import HeatmapStore
    from pipeline.costs.loader import time_loader
    from pipeline.teachers.load import load_network
    from student.run_record import read_record

    settings = read_record(run).settings
    live = None if teacher is None else load_network(teacher, device=device)
    return time_loader(HeatmapStore.open(store), settings, photos=images, teacher=live, device=device)


def step_times_text(times: "StepTimes") -> str:
    """Return the seconds of a step and of its parts in a line."""
    return (
        f"a step of {times.batch_size}: loader alone {times.loader_seconds:.3f} s, step alone "
        f"{times.step_seconds:.3f} s, both {times.both_seconds:.3f} s; the {times.limit} limits"
    )


def cost_text(cost: "Cost") -> str:
    """Return the numbers in a few lines."""
    numbers = {
        "M parameters": cost.params_m,
        "GMACs": cost.gmacs,
        "GFLOPs (Table 1's count)": cost.gflops,
    }
    counts = ", ".join(f"{value:.3f} {unit}" for unit, value in numbers.items() if value is not None)
    if cost.gmacs is None:
        counts += f"{', ' if counts else 'parameters and '}FLOPs unknown: not a torch network"
    lines = [f"{cost.name}: {counts}", f"{_speed_text(cost, cost.batch_size)}, {cost.dtype} on {cost.device}"]
    if cost.onnxruntime is not None:
        lines.append(f"{_speed_text(cost.onnxruntime, cost.batch_size)}, onnxruntime on {cost.onnxruntime.device}")
    return "\n".join(lines)


def _speed_text(speed: "Cost | ExportSpeed", batch_size: int) -> str:
    return (
        f"{speed.images_per_second:.1f} images/s in batches of {batch_size}, {speed.latency_ms:.2f} ms a single image"
    )
