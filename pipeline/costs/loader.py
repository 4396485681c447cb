"""What limits training: the loader alone, the step alone, and both together."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cache_tools.store.writer import HeatmapStore
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.device import torch_device
from student.pose_network import PoseNetwork
from student.settings import StudentSettings
from student.training.distributed import Place
from student.training.learner import Learner
from student.training.train import learn

WARM_UP = 3  # steps that are not timed


def time_loader(
    store: HeatmapStore,
    settings: StudentSettings,
    *,
    photos: Path | None = None,
    teacher: PoseNetwork | None = None,
    device: str = "auto",
    steps: int = 30,
) -> dict[str, Any]:
    """Wall seconds a step of the loader alone, of training steps on one batch alone, and of both; and what limits.

    Both near the larger of the two: threads and device work side by side. Near their sum: they share the same cores.
    A live teacher is asked by the loader. The student's weights are random ones, which cost as much as any.
    """
    settings = settings.model_copy(update={"model": settings.model.model_copy(update={"weights": "none"})})
    place = Place(torch_device(device))
    stream = stream_of([settings])
    with (
        TrainLoader([store], stream, photos=photos, teacher=teacher, device=place.device) as loader,
        tempfile.TemporaryDirectory() as folder,
    ):
        learner = Learner(settings, Path(folder), steps, loader.sampler.steps_per_epoch, place)

        def wait() -> None:
            if place.device.type == "cuda":
                torch.cuda.synchronize(place.device)

        def seconds(take: Callable[[Any], None], batches: Any) -> float:
            began = 0.0
            for number, batch in enumerate(batches):
                if number == WARM_UP:
                    wait()
                    began = time.perf_counter()
                take(batch)
            wait()
            return (time.perf_counter() - began) / steps

        total = steps + WARM_UP
        alone = seconds(lambda batch: None, loader.batches(0, total))
        (batch,) = loader.batches(0, 1)
        step = seconds(lambda b: learn(learner, b), [batch] * total)
        both = seconds(lambda b: learn(learner, b), loader.batches(0, total))
    size = settings.train.batch_size
    return {
        "batch_size": size,
        "workers": settings.train.workers,
        "device": str(place.device),
        "loader_seconds": alone,
        "step_seconds": step,
        "both_seconds": both,
        "instances_per_second": size / both,
        "limit": "loader" if alone > step else "step",
    }
