"""What a cache is worth: training without a teacher, from a cache, and with ViTPose running on every batch."""

from collections.abc import Iterator

from measured import Row, at_most
from on_device.context import Context
from on_device.samples import RandomVitPose
from on_device.training import Training

CACHED = 1.03
STUDENT = "Efficientnet_B0"


def measure(context: Context) -> Iterator[Row]:
    """Yield images a second of each mode, and their ratio to training without a teacher."""
    name = STUDENT if STUDENT in context.size.students else next(iter(context.size.students))
    none = seconds_of_mode(context, name, "none")
    yield Row(f"{name}, no teacher", context.size.batch / none, "images/s")
    cached = seconds_of_mode(context, name, "cached")
    yield Row(f"{name}, cached", context.size.batch / cached, "images/s")
    yield at_most("cached over no teacher", cached / none, CACHED, "x the time", judged=context.on_gpu)
    for size in context.size.live_teachers:
        for folded in (True, False):
            teacher = RandomVitPose(size, context.device, folded=folded)
            live = seconds_of_mode(context, name, "live", teacher)
            yield Row(f"{name}, live with {teacher.name}", context.size.batch / live, "images/s")
            yield Row(f"live with {teacher.name} over cached", live / cached, "x the time")


def seconds_of_mode(context: Context, name: str, mode: str, teacher: RandomVitPose | None = None) -> float:
    """Return the seconds of a step in training, its loader included."""
    settings = context.settings(name, mode=mode)
    steps = context.size.steps if teacher is None else max(2, context.size.steps // 3)
    with Training(context.store, settings, context.device, context.folder / f"worth-{mode}", teacher) as training:
        return training.both_seconds(steps)
