"""Table 1's speed column: images a second of its students and teachers, and the share of the device's own peak."""

from collections.abc import Iterator

import torch
from measured import Row
from on_device.attempts import attempt
from on_device.context import Context
from on_device.samples import random_crops, random_network
from on_device.timing import seconds_of
from torch import nn

from cache_tools.skeletons import COCO
from student.models.paper import PaperRow, paper_rows
from student.models.student import create_student
from student.normalise import normalise
from student.settings import ModelSettings
from student.torch_network import products_in_bfloat16

INPUT = (256, 192)
TEACHERS = {"small": "VitPose-S", "base": "VitPose-B", "large": "VitPose-L", "huge": "VitPose-H"}
#: seconds to compile a network and to measure it, at most
COMPILE_SECONDS = 25.0


def measure(context: Context) -> Iterator[Row]:
    """Yield the matrix product's rate, each network as it is in both precisions, then compiled ones."""
    peak = matrix_rate(context)
    yield Row(f"matrix product of {context.size.matrix}, {precisions(context)[-1]}", peak / 1e12, "TFLOP/s")
    rows = networks(context)
    for row in rows:
        yield from attempt(row.name, of_network(context, row, peak))
    for row in compiled_networks(context) if context.compiles else ():
        label = f"{row.name}, compiled"
        if context.seconds_left < COMPILE_SECONDS:
            yield Row(label, None, note="no time left to compile it")
            continue
        yield from attempt(label, of_compiled(context, row, peak))


def of_network(context: Context, row: PaperRow, peak: float) -> Iterator[Row]:
    """Yield the speeds of a network as it is, in both precisions. peak: operations a second of a matrix product."""
    network = build(row, context.device)
    for precision in precisions(context):
        if precision == "bfloat16":
            products_in_bfloat16(network)
        for batch in context.size.table_batches:
            yield speed(context, row, network, precision, batch, peak, "eager")


def of_compiled(context: Context, row: PaperRow, peak: float) -> Iterator[Row]:
    """Yield the speed of a compiled network at the largest batch. peak: operations a second of a matrix product."""
    network = compiled(context, row)
    yield speed(context, row, network, "bfloat16", context.size.table_batches[-1], peak, "compiled")


def compiled(context: Context, row: PaperRow) -> nn.Module:
    """Return a network that is compiled at its first call."""
    network = build(row, context.device)
    products_in_bfloat16(network)
    # the code of the network before, which is a student as well, is of no use
    torch.compiler.reset()  # type: ignore[no-untyped-call]  # torch does not annotate it
    network.compile(dynamic=False)
    return network


def networks(context: Context) -> list[PaperRow]:
    """Return the students and teachers that are measured."""
    return [*students(context), *teachers(context)]


def compiled_networks(context: Context) -> list[PaperRow]:
    """Return those that are measured compiled as well: each takes half a minute to compile."""
    names = {*context.size.students, TEACHERS[context.size.build_teacher]} if context.compiles else set()
    return [row for row in networks(context) if row.name in names]


def students(context: Context) -> list[PaperRow]:
    """Return the students that are measured."""
    chosen = context.size.table_students
    return [row for row in paper_rows() if row.role == "student" and (chosen is None or row.name in chosen)]


def teachers(context: Context) -> list[PaperRow]:
    """Return the teachers that are measured."""
    rows = {row.name: row for row in paper_rows()}
    return [rows[TEACHERS[size]] for size in context.size.table_teachers]


def precisions(context: Context) -> tuple[str, ...]:
    """Return the precisions: bfloat16 on a GPU only."""
    return ("float32", "bfloat16") if context.on_gpu else ("float32",)


def build(row: PaperRow, device: torch.device) -> nn.Module:
    """Return a network of Table 1 with random weights, as it is run."""
    if row.role == "teacher":
        size = next(size for size, name in TEACHERS.items() if name == row.name)
        network = random_network(size, device, folded=True)
    else:
        settings = ModelSettings.model_validate({"backbone": row.name, "weights": "none"})
        # where drawing random weights takes less time
        with device:
            network = create_student(settings, COCO)
    return network.to(device).to(memory_format=torch.channels_last).eval()


def speed(
    context: Context, row: PaperRow, network: nn.Module, precision: str, batch: int, peak: float, way: str
) -> Row:
    """Return images a second from uint8 crops on the device to heatmaps there, and the paper's number beside it."""
    crops = torch.from_numpy(random_crops(batch, INPUT)).to(context.device)
    with torch.inference_mode(), autocast(context, precision):
        seconds = seconds_of(lambda: network(normalise(crops)), context.device, context.size.table_seconds)
    rate = batch / seconds
    share = 100 * rate * row.gflops * 1e9 / peak
    note = f"paper {row.images_per_second:g}; {share:.1f} % of the matrix product"
    return Row(f"{row.name}, {precision}, {way}, batch {batch}", rate, "images/s", note=note)


def run_compiled(context: Context, row: PaperRow) -> None:
    """Compile a network as it is measured and run it once."""
    crops = torch.from_numpy(random_crops(context.size.table_batches[-1], INPUT)).to(context.device)
    network = compiled(context, row)
    with torch.inference_mode(), autocast(context, "bfloat16"):
        network(normalise(crops))


def autocast(context: Context, precision: str) -> torch.autocast:
    """Return the block in which a network runs in a precision."""
    return torch.autocast(context.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def matrix_rate(context: Context) -> float:
    """Return the floating-point operations a second of a large matrix product, in the fastest precision measured."""
    dtype = torch.bfloat16 if context.on_gpu else torch.float32
    a, b = (torch.randn(context.size.matrix, context.size.matrix, device=context.device, dtype=dtype) for _ in range(2))
    return 2 * context.size.matrix**3 / seconds_of(lambda: a @ b, context.device)
