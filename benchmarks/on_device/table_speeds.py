"""Table 1's speed column: images a second of its students and teachers, and the share of the device's own peak."""

from collections.abc import Iterator

import torch
from measured import Row
from on_device.context import Context
from on_device.samples import random_crops, random_network
from on_device.timing import seconds_of
from torch import Tensor, nn

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
    networks = [*students(context), *teachers(context)]
    for row in networks:
        network = build(row, context.device)
        for precision in precisions(context):
            if precision == "bfloat16":
                products_in_bfloat16(network)
            for batch in context.size.table_batches:
                yield speed(context, row, network, precision, batch, peak, "eager")
    for row in networks if context.compiles else ():
        label, batch = f"{row.name}, compiled", context.size.table_batches[-1]
        if context.seconds_left < COMPILE_SECONDS:
            yield Row(label, None, note="no time left to compile it")
            continue
        network = build(row, context.device)
        products_in_bfloat16(network)
        network.compile()
        yield speed(context, row, network, "bfloat16", batch, peak, "compiled")


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
        network = create_student(settings, COCO)
    return network.to(device).to(memory_format=torch.channels_last).eval()


def speed(
    context: Context, row: PaperRow, network: nn.Module, precision: str, batch: int, peak: float, way: str
) -> Row:
    """Return images a second from uint8 crops on the device to heatmaps there, and the paper's number beside it."""
    crops = torch.from_numpy(random_crops(batch, INPUT)).to(context.device)

    def run() -> Tensor:
        heatmaps: Tensor = network(normalise(crops))
        return heatmaps

    autocast = torch.autocast(context.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with torch.inference_mode(), autocast:
        seconds = seconds_of(run, context.device, context.size.table_seconds)
    rate = batch / seconds
    share = 100 * rate * row.gflops * 1e9 / peak
    note = f"paper {row.images_per_second:g}; {share:.1f} % of the matrix product"
    return Row(f"{row.name}, {precision}, {way}, batch {batch}", rate, "images/s", note=note)


def matrix_rate(context: Context) -> float:
    """Return the floating-point operations a second of a large matrix product, in the fastest precision measured."""
    dtype = torch.bfloat16 if context.on_gpu else torch.float32
    a, b = (torch.randn(context.size.matrix, context.size.matrix, device=context.device, dtype=dtype) for _ in range(2))
    return 2 * context.size.matrix**3 / seconds_of(lambda: a @ b, context.device)
