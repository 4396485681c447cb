"""What a cache is worth: training without a teacher, from a cache, and with ViTPose running on every batch."""

from collections.abc import Iterator

from measured import Row, at_most
from on_device.attempts import attempt
from on_device.context import Context
from on_device.samples import RandomVitPose
from on_device.training import Training

CACHED = 1.03
STUDENT = "Efficientnet_B0"
#: of both modes in turn, the fastest counts
ROUNDS = 2


def measure(context: Context) -> Iterator[Row]:
    """Yield images a second of each mode, and their ratios; the student is compiled where this is measured at all."""
    name = STUDENT if STUDENT in context.size.students else next(iter(context.size.students))
    modes = {mode: context.settings(name, mode=mode, compile=context.compiles) for mode in ("none", "cached", "live")}
    with Training(context.store, modes["none"], context.device, context.folder / "worth") as training:
        seconds: dict[str, float] = {}
        for mode in ("none", "cached") * ROUNDS:
            training.use(modes[mode])
            seconds[mode] = min(training.both_seconds(context.size.steps), seconds.get(mode, float("inf")))
        for mode, label in (("none", "no teacher"), ("cached", "cached")):
            yield Row(f"{name}, {label}", context.size.batch / seconds[mode], "images/s")
        ratio = seconds["cached"] / seconds["none"]
        yield at_most("cached over no teacher", ratio, CACHED, "x the time", judged=context.on_gpu)
        for size in context.size.live_teachers:
            for folded in (True, False):
                teacher = RandomVitPose(size, context.device, folded=folded)
                training.use(modes["live"], teacher)
                yield from attempt(teacher.name, of_live(context, name, training, teacher, seconds["cached"]))


def of_live(context: Context, name: str, training: Training, teacher: RandomVitPose, cached: float) -> Iterator[Row]:
    """Yield images a second with a teacher running on every batch. cached: seconds of a step from a cache."""
    live = training.both_seconds(max(2, context.size.steps // 3))
    yield Row(f"{name}, live with {teacher.name}", context.size.batch / live, "images/s")
    yield Row(f"live with {teacher.name} over cached", live / cached, "x the time")
