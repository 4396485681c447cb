"""How much is measured: everything on a GPU, a part of everything on a CPU, the least of everything in a test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: of the students in training, by their names in Table 1
STUDENTS = ("Shufflenet_0.5", "Efficientnet_B0", "Densenet_169")
TABLE_1: dict[str, Any] = {"weights": "none"}
SMALLEST: dict[str, Any] = {
    "backbone": "timm:resnet10t", "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "head": "lateral", "head_channels": 16, "weights": "none", "input_size": (64, 64),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything is measured."""

    #: name -> model settings of the students in training
    students: Mapping[str, Mapping[str, Any]]
    #: compile students as well as run them as they are
    compiled: bool
    #: ViTPose+ sizes: of the live teacher, of Table 1, of the build
    live_teachers: tuple[str, ...]
    table_teachers: tuple[str, ...]
    build_teacher: str
    #: persons of the store, and crops a step
    persons: int
    batch: int
    #: steps that are timed
    steps: int
    #: students of Table 1, batches, and seconds a number
    table_students: tuple[str, ...] | None
    table_batches: tuple[int, ...]
    table_seconds: float
    #: persons of the build, and crops a pass of its teacher
    build_persons: int
    build_batch: int
    #: crops of a kernel's batch; bytes of the device copy; side of the matrix product
    kernel_batch: int
    copy_bytes: int
    matrix: int


GPU = Size(
    students={name: {**TABLE_1, "backbone": name} for name in STUDENTS},
    compiled=True,
    live_teachers=("small", "base", "huge"),
    table_teachers=("small", "base", "large", "huge"),
    build_teacher="huge",
    persons=512,
    batch=128,
    steps=24,
    table_students=None,
    table_batches=(1, 32, 128),
    table_seconds=0.3,
    build_persons=8192,
    build_batch=64,
    kernel_batch=128,
    copy_bytes=2**30,
    matrix=8192,
)
CPU = Size(
    # at a quarter of the pixels
    students={"Shufflenet_0.5": {**TABLE_1, "backbone": "Shufflenet_0.5", "input_size": (128, 96)}},
    compiled=False,
    live_teachers=("small",),
    table_teachers=("small",),
    build_teacher="small",
    persons=24,
    batch=4,
    steps=2,
    table_students=("Shufflenet_0.5", "Efficientnet_B0"),
    table_batches=(1, 4),
    table_seconds=0.2,
    build_persons=8,
    build_batch=4,
    kernel_batch=4,
    copy_bytes=2**26,
    matrix=1024,
)
TEST = Size(
    students={"resnet10t": SMALLEST},
    compiled=False,
    live_teachers=(),
    table_teachers=(),
    build_teacher="tiny",
    persons=16,
    batch=4,
    steps=2,
    table_students=(),
    table_batches=(1,),
    table_seconds=0.01,
    build_persons=4,
    build_batch=4,
    kernel_batch=2,
    copy_bytes=2**20,
    matrix=64,
)
SIZES = {"gpu": GPU, "cpu": CPU, "test": TEST}
