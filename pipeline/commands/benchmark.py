"""`kdcache benchmark`: what a student, a teacher or a backbone costs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.costs.cost_file import Cost, ExportSpeed


@click.command("benchmark")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--teacher", metavar="REF", help="A teacher instead of a RUN; with --loader, the one that RUN asks live.")
@click.option("--backbone", metavar="NAME", help="A student that was never trained: a name of Table 1, or timm:NAME.")
@click.option("--head", type=click.Choice(["subpixel", "lateral"]), default="subpixel", help="Of --backbone.")
@click.option("--input-size", type=(int, int), default=(256, 192), metavar="HEIGHT WIDTH", help="Of --backbone.")
@click.option("--loader", metavar="STORE", help="What limits training from STORE: the loader or the step of RUN.")
@click.option("--images", type=click.Path(path_type=Path), help="Photos, for a --loader STORE without crops.")
@click.option("--out", type=click.Path(path_type=Path), help="Write cost.json here.")
@click.option("--seconds", default=5.0, show_default=True, help="Of the runs behind each number, warm-up apart.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True)
@click.option("--channels-last/--no-channels-last", default=True, show_default=True)
@click.option("--compile/--no-compile", "compiled", default=False, show_default=True, help="By torch.compile.")
@click.option("--onnx/--no-onnx", default=True, show_default=True, help="Measure a student's export, too.")
def command(
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
    """Measure parameters, FLOPs, throughput and latency of RUN, of a teacher or of a backbone."""
    if loader is not None:
        if run is None or backbone is not None:
            raise click.UsageError("--loader times the training of a RUN: give its folder, finished or not")
        click.echo(limits(loader, run, images, teacher, device, out))
        return
    if sum(given is not None for given in (run, teacher, backbone)) != 1:
        raise click.UsageError("give one of RUN, --teacher REF and --backbone NAME")
    from pipeline.costs.network import SpeedSettings, student_cost, teacher_cost

    speed_settings = SpeedSettings(
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        seconds=seconds,
        channels_last=channels_last,
        compile=compiled,
    )
    if teacher is not None:
        from pipeline.teachers.load import load_network

        cost = teacher_cost(load_network(teacher, device=device), teacher, speed_settings)
    elif run is not None:
        from student.checkpoint import load_student

        student, settings = load_student(run)
        cost = student_cost(student, settings.model, settings.name, speed_settings, onnx=onnx)
    else:
        from student.models.student import create_student, untrained_settings

        model = untrained_settings(str(backbone), head, input_size)
        cost = student_cost(create_student(model), model, str(backbone), speed_settings, onnx=onnx)
    if out is not None:
        cost.write(out)
    click.echo(summary(cost))


def limits(store: str, run: Path, images: Path | None, teacher: str | None, device: str, out: Path | None) -> str:
    """Seconds a step of the loader alone, of the step alone and of both, in a line; written to `out` as well."""
    from cache_tools.store.writer import HeatmapStore
    from pipeline.costs.loader import time_loader
    from pipeline.teachers.load import load_network
    from student.checkpoint import read_record
    from student.settings import StudentSettings

    settings = StudentSettings.model_validate(read_record(run)["settings"])
    live = None if teacher is None else load_network(teacher, device=device)
    timed = time_loader(HeatmapStore.open(store), settings, photos=images, teacher=live, device=device)
    if out is not None:
        timed.write(out)
    return (
        f"a step of {timed.batch_size}: loader alone {timed.loader_seconds:.3f} s, step alone "
        f"{timed.step_seconds:.3f} s, both {timed.both_seconds:.3f} s; the {timed.limit} limits"
    )


def summary(cost: "Cost") -> str:
    """Return the numbers in a few lines."""
    numbers = {
        "M parameters": cost.params_m,
        "GMACs": cost.gmacs,
        "GFLOPs (Table 1's count)": cost.gflops,
    }
    counts = ", ".join(f"{value:.3f} {unit}" for unit, value in numbers.items() if value is not None)
    if cost.gmacs is None:
        counts += f"{', ' if counts else 'parameters and '}FLOPs unknown: not a torch network"
    lines = [f"{cost.name}: {counts}", f"{_speed(cost, cost.batch_size)}, {cost.dtype} on {cost.device}"]
    if cost.onnxruntime is not None:
        lines.append(f"{_speed(cost.onnxruntime, cost.batch_size)}, onnxruntime on {cost.onnxruntime.device}")
    return "\n".join(lines)


def _speed(speed: "Cost | ExportSpeed", batch_size: int) -> str:
    return (
        f"{speed.images_per_second:.1f} images/s in batches of {batch_size}, {speed.latency_ms:.2f} ms a single image"
    )
