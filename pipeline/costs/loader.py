"""Measure what limits training: only the loader, only the step, and both together."""

import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path
from typing import ClassVar, Literal

import torch

from cache_tools.store.writer import HeatmapStore
from pipeline.result_file import ResultFile
from student.batches.loader import Batch, TrainLoader
from student.batches.stream import stream_of
from student.device import torch_device
from student.pose_network import PoseNetwork
from student.settings import StudentSettings
from student.training.distributed import ProcessContext
from student.training.learner import Learner
from student.training.step import take_step

#: steps that are not timed
WARM_UP = 3


class StepTimes(ResultFile):
    """Wall seconds of a training step and of its parts."""

    kind: ClassVar[str] = "file of `kdcache benchmark --loader`"

    batch_size: int
    #: threads of the loader
    workers: int
    device: str
    #: of a batch, when nothing uses it
    loader_seconds: float
    #: of a step on a batch that is there already
    step_seconds: float
    #: of a step in training
    both_seconds: float
    instances_per_second: float
    #: which of the two takes longer
    limit: Literal["loader", "step"]


def time_loader(
    store: HeatmapStore,
    settings: StudentSettings,
    *,
    photos: Path | None = None,
    teacher: PoseNetwork | None = None,
    device: str = "auto",
    steps: int = 30,
) -> StepTimes:
    """Measure seconds a step of the loader only, of training steps on one batch, and of both.

    Both near the larger of the two: threads and device work at the same time. Near their sum: they share the same
    cores. A live teacher is run by the loader. The student's weights are random, which cost as much as any.
    """
    settings = settings.model_copy(update={"model": settings.model.model_copy(update={"weights": "none"})})
    process = ProcessContext(torch_device(device))
    stream = stream_of([settings])
    with (
        TrainLoader([store], stream, photos=photos, teacher=teacher, device=process.device) as loader,
        tempfile.TemporaryDirectory() as folder,
    ):
        learner = Learner(
            settings,
            Path(folder),
            skeleton=loader.skeleton,
            steps=steps,
            steps_per_epoch=loader.sampler.steps_per_epoch,
            process=process,
        )

        def wait_for_device() -> None:
            if process.device.type == "cuda":
                torch.cuda.synchronize(process.device)

        def seconds_per_step(use: Callable[[Batch], None], batches: Iterable[Batch]) -> float:
            start = 0.0
            for number, batch in enumerate(batches):
                if number == WARM_UP:
                    wait_for_device()
                    start = time.perf_counter()
                use(batch)
            wait_for_device()
            return (time.perf_counter() - start) / steps

        total = steps + WARM_UP
        loader_seconds = seconds_per_step(lambda batch: None, loader.batches(0, total))
        (batch,) = loader.batches(0, 1)
        step_seconds = seconds_per_step(lambda b: take_step(learner, b), repeat(batch, total))
        both_seconds = seconds_per_step(lambda b: take_step(learner, b), loader.batches(0, total))
        threads = loader.thread_count.threads
    size = settings.train.batch_size
    return StepTimes(
        batch_size=size,
        workers=threads,
        device=str(process.device),
        loader_seconds=loader_seconds,
        step_seconds=step_seconds,
        both_seconds=both_seconds,
        instances_per_second=size / both_seconds,
        limit="loader" if loader_seconds > step_seconds else "step",
    )
